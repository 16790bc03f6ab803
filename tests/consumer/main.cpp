#include <cstdio>
#include <string>

#include "litestage/decoder.h"
#include "litestage/error.h"
#include "litestage/model.h"
#include "litestage/pipeline.h"

// Exits with 0 when the installed library works: it parses a mask, refuses a file that is no model
// with a UserError, and links what the whole public API needs.
int main(int argc, char** argv) {
  if (argc != 2) return 1;
  const auto mask = litestage::SublayerMask::parse("a3,f10-12", 24);
  if (mask.skipped_count() != 4) return 1;
  try {
    litestage::Decoder decoder(litestage::Model::load(argv[1]));
    litestage::Pipeline pipeline(decoder, litestage::load_program("direct"));
  } catch (const litestage::UserError& error) {
    std::printf("refused: %s\n", error.what());
    return 0;
  }
  return 1;
}
