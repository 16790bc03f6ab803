#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/text_file.h"
#include "litestage/program.h"
#include "stage/demonstrations.h"
#include "stage/pattern.h"
#include "stage/program_hash.h"
#include "stage/template.h"
#include "stage/toml_table.h"

namespace litestage {
namespace {

constexpr int MOST_STAGE_TOKENS = 32768;

/// Reads one program; its functions stand in the order in which faults are looked for.
class ProgramReader {
 public:
  ProgramReader(std::string_view text, const std::string& where, std::filesystem::path folder)
      : source_(text, where),
        top_(source_, source_.root(), "a program",
             {"name", "description", "format", "preamble", "demonstrations", "shots",
              "demonstration", "answer", "early_answer", "stage"}),
        folder_(std::move(folder)) {
    program_.name = std::filesystem::path(where).stem().string();
  }

  Program read() {
    read_header();
    read_stages();
    read_answer();
    read_early_answer();
    check_variables();
    check_reachable();
    read_demonstrations_into_preamble();
    program_.hash = program_hash(program_);
    return std::move(program_);
  }

 private:
  void read_header() {
    if (const auto name = top_.text("name"))
      program_.name = checked_name(*name, *top_.find("name"));
    program_.description = top_.text("description").value_or("");
    program_.format = top_.word<ProgramFormat>("format", {{"chat", ProgramFormat::chat},
                                                          {"plain", ProgramFormat::plain}})
                          .value_or(ProgramFormat::chat);
    program_.preamble = top_.text("preamble").value_or("");
    const auto fault = check_template(program_.preamble, [](std::string_view name) {
      return fmt::format("the preamble quotes '{}'", name);
    });
    if (!fault) return;
    source_.fail_at_brace(*top_.find("preamble"), fault->index, fault->what,
                          "it is the same for all questions, so it can quote nothing");
  }

  std::string checked_name(const std::string& name, const toml::node& node) const {
    const bool is_name =
        !name.empty() && name.size() <= 64 && name.front() >= 'a' && name.front() <= 'z' &&
        name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-_") == std::string::npos;
    if (!is_name) {
      source_.fail(node, fmt::format("'{}' is no name", name),
                   "use small letters, digits, '-' and '_', a letter first");
    }
    return name;
  }

  void read_stages() {
    const toml::node* node = top_.find("stage");
    if (node == nullptr) source_.fail(top_.table(), "the program has no [[stage]]", "add one");
    const toml::array* list = node->as_array();
    const bool all_tables =
        list != nullptr && !list->empty() &&
        std::ranges::all_of(*list, [](const toml::node& element) { return element.is_table(); });
    if (!all_tables)
      source_.fail(*node, "'stage' is no list of tables", "write [[stage]] for each");
    for (const toml::node& element : *list) {
      stage_tables_.emplace_back(
          source_, *element.as_table(), "a stage",
          std::initializer_list<std::string_view>{
              "name", "prompt", "begin", "for_each", "stop", "max_tokens", "temperature", "top_k",
              "top_p", "min_p", "repeat_penalty", "output", "choice_by", "pattern"});
      read_stage(stage_tables_.back());
    }
  }

  void read_stage(const TomlTable& table) {
    Stage stage;
    stage.name = table.required_text("name");
    checked_name(stage.name, *table.find("name"));
    if (program_.find(stage.name) != nullptr) {
      source_.fail(*table.find("name"), fmt::format("there are two stages '{}'", stage.name),
                   "rename one");
    }
    stage.prompt = table.required_text("prompt");
    if (program_.format == ProgramFormat::chat && trimmed(stage.prompt).empty()) {
      source_.fail(*table.find("prompt"), "'prompt' is blank", "write what the user says");
    }
    stage.begin = table.text("begin").value_or("");
    stage.for_each_option = table.word<bool>("for_each", {{"option", true}}).value_or(false);
    stage.stop = table.texts("stop");
    stage.max_tokens = table.integer("max_tokens", 1, MOST_STAGE_TOKENS).value_or(stage.max_tokens);
    stage.sampler = read_sampler(table);
    read_output(table, stage);
    program_.stages.push_back(std::move(stage));
  }

  static SamplerOptions read_sampler(const TomlTable& table) {
    SamplerOptions sampler;
    sampler.temperature = table.number("temperature", 0, 10).value_or(sampler.temperature);
    sampler.top_k = table.integer("top_k", 0, 1'000'000).value_or(sampler.top_k);
    sampler.top_p = table.number("top_p", 0.001, 1).value_or(sampler.top_p);
    sampler.min_p = table.number("min_p", 0, 1).value_or(sampler.min_p);
    sampler.repeat_penalty =
        table.number("repeat_penalty", 0.1, 10).value_or(sampler.repeat_penalty);
    return sampler;
  }

  void read_output(const TomlTable& table, Stage& stage) const {
    stage.output = table
                       .word<OutputKind>("output", {{"text", OutputKind::text},
                                                    {"choice", OutputKind::choice},
                                                    {"number", OutputKind::number},
                                                    {"pattern", OutputKind::pattern}})
                       .value_or(OutputKind::text);
    if (stage.for_each_option && stage.output != OutputKind::text) {
      source_.fail(*table.find("output"), "a for_each stage's output is its texts",
                   "leave 'output' out and read a value in a later stage");
    }
    const auto choice_by = table.word<ChoiceBy>(
        "choice_by", {{"logits", ChoiceBy::logits}, {"grammar", ChoiceBy::grammar}});
    if (choice_by && stage.output != OutputKind::choice) {
      source_.fail(*table.find("choice_by"), "'choice_by' without output = \"choice\"",
                   "leave it out or set the output");
    }
    stage.choice_by = choice_by.value_or(ChoiceBy::logits);
    read_pattern(table, stage);
  }

  void read_pattern(const TomlTable& table, Stage& stage) const {
    if (stage.output != OutputKind::pattern) {
      if (const toml::node* node = table.find("pattern")) {
        source_.fail(*node, "'pattern' without output = \"pattern\"",
                     "leave it out or set the output");
      }
      return;
    }
    stage.pattern = table.required_text("pattern");
    if (const std::string fault = pattern_fault(stage.pattern); !fault.empty()) {
      source_.fail(*table.find("pattern"), "'pattern' cannot be used: " + fault,
                   "write a short ECMAScript regular expression");
    }
  }

  void read_answer() {
    program_.answer_stage = program_.stages.back().name;
    const std::optional<std::string> name = top_.text("answer");
    if (!name) return;
    const Stage* stage = program_.find(*name);
    if (stage == nullptr) {
      source_.fail(*top_.find("answer"), fmt::format("there is no stage '{}'", *name),
                   "name one of the stages");
    }
    if (stage->for_each_option) {
      source_.fail(*top_.find("answer"), fmt::format("stage '{}' writes a text an option", *name),
                   "take the answer from a stage without for_each");
    }
    program_.answer_stage = *name;
  }

  void read_early_answer() {
    const toml::node* node = top_.find("early_answer");
    if (node == nullptr) return;
    if (!node->is_table())
      source_.fail(*node, "'early_answer' is no table", "write [early_answer]");
    const TomlTable table(source_, *node->as_table(), "[early_answer]", {"prompt", "begin"});
    program_.early_answer =
        EarlyAnswer{table.required_text("prompt"), table.text("begin").value_or("")};
    for (const char* key : {"prompt", "begin"}) {
      const toml::node* text = table.find(key);
      if (text == nullptr) continue;
      const auto fault =
          check_template(text->value_or(std::string_view()), [](std::string_view name) {
            const bool of_question =
                is_variable(name) && !quotes_one_option(name) && quoted_stage(name).empty();
            return of_question ? std::string()
                               : fmt::format("'{}' is not known before all stages are done", name);
          });
      if (fault) {
        source_.fail_at_brace(*text, fault->index, fault->what,
                              "quote the question and its options alone");
      }
    }
  }

  void check_variables() {
    for (std::size_t i = 0; i < program_.stages.size(); ++i) {
      for (const char* key : {"prompt", "begin"}) {
        const toml::node* node = stage_tables_[i].find(key);
        if (node == nullptr) continue;
        const auto fault = check_template(node->value_or(std::string_view()),
                                          [&](std::string_view name) { return fault_of(name, i); });
        if (fault) source_.fail_at_brace(*node, fault->index, fault->what);
      }
    }
  }

  /// What is wrong with a variable in the stage of that index; notes which stages are quoted.
  std::string fault_of(std::string_view name, std::size_t index) {
    const Stage& stage = program_.stages[index];
    if (!is_variable(name)) {
      return fmt::format(
          "unknown variable '{}'; there are question, options, options.inline, "
          "option.letter, option.text and stage.NAME",
          name);
    }
    if (quotes_one_option(name) && !stage.for_each_option) {
      return fmt::format("'{}' in stage '{}', which has no for_each = \"option\"", name,
                         stage.name);
    }
    const std::string_view quoted = quoted_stage(name);
    if (quoted.empty()) return {};
    if (quoted == stage.name) return fmt::format("stage '{}' quotes itself", stage.name);
    const Stage* found = program_.find(quoted);
    if (found == nullptr) return fmt::format("there is no stage '{}' to quote", quoted);
    if (found > &stage) {
      return fmt::format("stage '{}' quotes '{}', which comes after it", stage.name, quoted);
    }
    quotes_[index].insert(static_cast<std::size_t>(found - program_.stages.data()));
    return {};
  }

  /// A stage has every earlier stage's text before it, save the branches of for_each stages, which
  /// it must quote. The answer and the last stage's text go to the person who asked.
  void check_reachable() const {
    const std::vector<Stage>& stages = program_.stages;
    std::vector<bool> read(stages.size(), false);
    for (std::size_t i = stages.size(); i-- > 0;) {
      const bool is_last = i + 1 == stages.size();
      read[i] = read[i] || !stages[i].for_each_option;
      if (!read[i]) {
        source_.fail(
            *stage_tables_[i].find("name"),
            fmt::format("nothing reads what stage '{}' writes for each option", stages[i].name),
            is_last ? "add a stage that quotes it"
                    : fmt::format("quote it in a later stage as {{{{stage.{}}}}}", stages[i].name));
      }
      const auto quoted = quotes_.find(i);
      if (quoted == quotes_.end()) continue;
      for (const std::size_t earlier : quoted->second)
        read[earlier] = true;
    }
  }

  void read_demonstrations_into_preamble() {
    const std::optional<std::string> file = top_.text("demonstrations");
    for (const std::string_view key : {"shots", "demonstration"}) {
      if (file || top_.find(key) == nullptr) continue;
      source_.fail(*top_.find(key), fmt::format("'{}' without 'demonstrations'", key),
                   "name the file they are in");
    }
    if (!file) return;
    const toml::node* node = top_.find("demonstration");
    if (node == nullptr) {
      source_.fail(*top_.find("demonstrations"), "no [demonstration] says how they are written",
                   "add it with a 'template'");
    }
    if (!node->is_table())
      source_.fail(*node, "'demonstration' is no table", "write [demonstration]");
    const TomlTable table(source_, *node->as_table(), "[demonstration]", {"template"});
    const std::string form = table.required_text("template");
    const std::vector<Demonstration> all = load_demonstrations(*file);
    const auto count = static_cast<int>(all.size());
    const int shots = top_.integer("shots", 0, count).value_or(count);
    for (int i = 0; i < shots; ++i) {
      program_.preamble +=
          render(form, all[static_cast<std::size_t>(i)], i, *table.find("template"));
    }
  }

  std::vector<Demonstration> load_demonstrations(const std::string& file) const {
    const std::string path = (folder_ / file).lexically_normal().string();
    try {
      return read_demonstrations(read_text_file(path), path);
    } catch (const UserError& error) {
      if (error.where() != path) throw;  // a fault inside the file names its own line
      source_.fail(*top_.find("demonstrations"), error.what());
    }
  }

  std::string render(const std::string& form, const Demonstration& demonstration, int index,
                     const toml::node& node) const {
    const auto fault = check_template(form, [&](std::string_view name) {
      if (demonstration.contains(name)) return std::string();
      std::vector<std::string_view> known;
      for (const auto& [field, text] : demonstration)
        known.push_back(field);
      return fmt::format("unknown variable '{}'; demonstration {} has {}", name, index + 1,
                         fmt::join(known, ", "));
    });
    if (fault) source_.fail_at_brace(node, fault->index, fault->what);
    return fill_template(form,
                         [&](std::string_view name) { return demonstration.find(name)->second; });
  }

  TomlSource source_;
  TomlTable top_;
  std::filesystem::path folder_;
  std::vector<TomlTable> stage_tables_;
  std::map<std::size_t, std::set<std::size_t>> quotes_;
  Program program_;
};

}  // namespace

Program parse_program(std::string_view toml, const std::string& where,
                      const std::filesystem::path& folder) {
  return ProgramReader(toml, where, folder).read();
}

}  // namespace litestage
