#include "support/prompts.h"

namespace litestage::test {

const std::vector<std::string>& prompts() {
  static const std::vector<std::string> PROMPTS = {
      "The capital of France is",
      "Question: Why is the sky blue?\nAnswer:",
      "Once upon a time, in a village by the sea,",
      "def fibonacci(n):\n",
      "Water boils at",
      "The three primary colours are",
      "To bake bread you need flour, water,",
      "Question: A train leaves at 3 pm and rides for two hours. When does it arrive?\nAnswer:",
      "The largest planet of our solar system",
      "Dear Sir or Madam,\n\n",
      "1, 2, 3, 5, 8,",
      "Photosynthesis is the process by which",
      "SELECT name, age FROM people WHERE",
      "Roses are red, violets are",
      "The opposite of hot is",
      "Recall: Magnets attract iron. Analyze: A nail is made of",
      "My favourite season is autumn because",
      "In the year 1969, humans first",
      "Die Hauptstadt von Deutschland ist",
      "A list of five animals:\n1.",
  };
  return PROMPTS;
}

}  // namespace litestage::test
