// Which of several measured values is chosen, and the verb on a tiny model.
#include "app/doctor_tune.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "support/decoder_tools.h"
#include "support/run_program.h"

namespace litestage::test {
namespace {

using Json = nlohmann::json;

TEST(DoctorTune, TheFastestIsChosenWhereTheOthersAreMeasurablySlower) {
  EXPECT_EQ(app::first_fast({{2.0, 2.1, 2.0}, {1.0, 1.1, 1.0}, {1.5, 1.6, 1.5}}), 1U);
}

TEST(DoctorTune, TheFirstIsChosenAmongThoseThatNoiseCannotTellApart) {
  EXPECT_EQ(app::first_fast({{1.0, 1.4, 1.1}, {1.1, 1.0, 1.2}, {1.0, 1.2, 1.1}}), 0U);
}

TEST(DoctorTune, MeasuresAndChooses) {
  const LoadedTiny tiny{TinyOptions{}};
  const ProgramResult result =
      run_program({"doctor", "--tune", "-m", tiny.file().string(), "-r", "2", "--json"});
  ASSERT_EQ(result.exit_code, 0) << result.errors;
  const Json report = Json::parse(result.output);
  bool threads_are_listed = false;
  for (const Json& row : report.at("threads")) {
    EXPECT_GT(row.at("decode_tokens_per_second").get<double>(), 0);
    threads_are_listed = threads_are_listed || row.at("threads") == report.at("chosen_threads");
  }
  EXPECT_TRUE(threads_are_listed);
  EXPECT_EQ(report.at("ubatch").size(), 4U);
}

TEST(DoctorTune, AModelThatIsNotThereIsRefused) {
  const ProgramResult result = run_program({"doctor", "--tune", "-m", "/no/model.gguf"});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_EQ(result.output, "");
}

}  // namespace
}  // namespace litestage::test
