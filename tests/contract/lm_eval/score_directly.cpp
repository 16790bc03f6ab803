// Log-likelihoods without a server: reads lines of JSON, each with a context and what follows it,
// and writes a line for each with the sum of the log-probabilities of what follows.
//   litestage_score MODEL <REQUESTS >SCORES

#include <algorithm>
#include <cmath>
#include <iostream>
#include <string>

#include <nlohmann/json.hpp>

#include "litestage/decoder.h"
#include "litestage/error.h"

namespace {

using namespace litestage;

double log_probability(std::span<const float> logits, Token token) {
  const float largest = *std::ranges::max_element(logits);
  double sum = 0;
  for (const float logit : logits)
    sum += std::exp(static_cast<double>(logit) - largest);
  return static_cast<double>(logits[static_cast<std::size_t>(token)]) - largest - std::log(sum);
}

double score(Decoder& decoder, const std::string& context, const std::string& following) {
  const Tokenizer& tokenizer = decoder.model().tokenizer();
  const std::vector<Token> all = tokenizer.encode(context + following, false, true);
  const std::size_t begin = tokenizer.encode(context, false, true).size();
  std::vector<BatchToken> batch;
  for (const Token token : all)
    batch.push_back({token, 0, true});
  decoder.clear();
  const ForwardResult result = decoder.forward(batch);
  double sum = 0;
  for (std::size_t i = begin; i < all.size(); ++i)
    sum += log_probability(result.row(static_cast<int>(i) - 1, decoder.model().vocabulary_size()),
                           all[i]);
  return sum;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: litestage_score MODEL <REQUESTS >SCORES\n";
    return 2;
  }
  try {
    Decoder decoder(Model::load(argv[1]));
    for (std::string line; std::getline(std::cin, line);) {
      const auto request = nlohmann::json::parse(line);
      std::cout << score(decoder, request.at("context"), request.at("following")) << '\n';
    }
  } catch (const UserError& error) {
    std::cerr << error.what() << "\n";
    return 1;
  }
  return 0;
}
