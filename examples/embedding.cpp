// Answers a question in stages inside a program of one's own, and shows the text as it is written.
#include <litestage/pipeline.h>

#include <iostream>

struct Printer : litestage::PipelineListener {
  void on_stage_begin(const std::string& stage,
                      const std::vector<std::string>& /*options*/) override {
    std::cout << "\n[" << stage << "] ";
  }
  void on_text(const std::string& /*stage*/, int /*branch*/, std::string_view piece) override {
    std::cout << piece << std::flush;
  }
};

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  litestage::Decoder decoder(litestage::Model::load(argv[1]));
  litestage::Pipeline pipeline(decoder, litestage::load_program("plan-solve"));
  litestage::Question question;
  question.text = "A pen costs 2 euros. What do 7 pens cost?";
  Printer printer;
  const litestage::QuestionRecord record = pipeline.answer(question, &printer);
  std::cout << "\nAnswer: " << record.answer << '\n';
}
