#include "offline/sweep_chart.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <span>

#include <fmt/format.h>

#include "base/binomial.h"
#include "base/html.h"
#include "base/html_page.h"
#include "eval/paired_accuracy.h"
#include "offline/sweep_axis.h"
#include "offline/sweep_svg.h"

namespace litestage {
namespace {

std::string_view verdict_words(Verdict verdict) {
  switch (verdict) {
    case Verdict::chosen:
      return "chosen";
    case Verdict::slower:
      return "accurate enough, slower";
    case Verdict::over_limit:
      return "over the limit";
    case Verdict::raced_out:
      return "dropped on the way";
    case Verdict::not_run:
      return "not run to the end";
    case Verdict::refuted:
      return "refuted by fresh questions";
  }
  assert(false);
  return "";
}

std::string percent_with_interval(int correct, int questions) {
  if (questions == 0) return "–";
  const Interval interval = wilson_95(correct, questions);
  return fmt::format("{:.1f} ({:.1f} to {:.1f})", 100.0 * correct / questions, 100 * interval.low,
                     100 * interval.high);
}

std::string ms_with_error(const TimedChoice& time) {
  return fmt::format("{:.1f} ± {:.1f}", time.ms, time.ms_error);
}

std::string masks(const StageSettings& settings) {
  const std::string reading = html_escaped(settings.prefill.to_string());
  const std::string writing = html_escaped(settings.decode.to_string());
  if (reading == writing) return fmt::format("<code>{}</code>", reading);
  return fmt::format("reading <code>{}</code><br>writing <code>{}</code>", reading, writing);
}

/// Term and description.
std::string fact(std::string_view term, const std::string& text) {
  return fmt::format("<div><dt>{}</dt><dd>{}</dd></div>\n", term, html_escaped(text));
}

std::string summary(const SearchFile& file) {
  const SearchResult& result = file.result;
  const MeasuredAccuracy& accuracy = result.accuracy;
  std::string text;
  text += "<dl>\n";
  text +=
      fact("Method and limit", fmt::format("{}, at most {:g} points lost",
                                           to_string(file.options.method), file.options.max_loss));
  text += fact("Full model, % right of " + std::to_string(accuracy.questions),
               percent_with_interval(accuracy.full_correct, accuracy.questions));
  text += fact("Chosen plan, % right",
               percent_with_interval(accuracy.plan_correct, accuracy.questions));
  text += fact("Loss", fmt::format("{:.1f} points ({} lost, {} gained)", accuracy.loss(),
                                   accuracy.lost, accuracy.gained));
  text += fact(fmt::format("True loss, at most ({:g} % sure)", 100 * accuracy.bound_level),
               fmt::format("{:.1f} points", accuracy.loss_bound));
  text += fact("Full model, ms a question", ms_with_error(result.full_time));
  text += fact("Chosen plan, ms a question", ms_with_error(result.chosen_time));
  text += fact("Answers",
               fmt::format("{} ({} without racing)", result.trials, result.trials_without_racing));
  text += "</dl>\n";
  return text + fmt::format(
                    "<p class=\"quiet\">The bound of the true loss holds for all {:.0f} choices "
                    "that the search could have come to at once.</p>\n",
                    result.choices);
}

std::string table_head(const std::string& stage) {
  std::string text = fmt::format(
      "<table class=\"sweep\">\n<caption>Candidates of stage {}</caption>\n"
      "<thead><tr><th scope=\"col\">candidate</th><th scope=\"col\">sublayers left out</th><th "
      "scope=\"col\">verdict</th>",
      html_escaped(stage));
  for (const char* column : {"questions", "% right (95 % interval)", "lost / gained",
                             "stage ms, predicted", "question ms ± error", "tokens", "damage"})
    text += fmt::format(R"(<th scope="col" class="number">{}</th>)", column);
  return text + "</tr></thead>\n<tbody>\n";
}

std::string table_row(const SweepRecord& record, const Candidate& candidate, std::size_t stage) {
  const bool is_kept = record.verdict == Verdict::chosen || record.verdict == Verdict::slower;
  std::string row =
      fmt::format(R"(<tr class="{}"><th scope="row">{}. {}</th><td>{}</td><td>{}</td>)",
                  record.verdict == Verdict::chosen ? "chosen-row"
                  : is_kept                         ? ""
                                                    : "dropped-row",
                  record.candidate, html_escaped(candidate.label), masks(candidate.settings),
                  verdict_words(record.verdict));
  const auto number = [&](const std::string& text) {
    row += fmt::format("<td class=\"number\">{}</td>", text);
  };
  number(std::to_string(record.questions));
  number(percent_with_interval(record.correct, record.questions));
  number(fmt::format("{} / {}", record.lost, record.gained));
  number(fmt::format("{:.1f}", candidate.predicted_ms));
  number(record.time ? ms_with_error(*record.time) : "–");
  number(record.questions == 0 ? "–" : fmt::format("{:.1f}", record.written[stage]));
  number(std::isnan(candidate.damage) ? "–" : fmt::format("{:.3f}", candidate.damage));
  return row + "</tr>\n";
}

/// What a chart's foot and the shapes of its marks mean.
std::string_view foot_words(const SearchFile& file, std::span<const SweepRecord> sweep) {
  if (!masks_differ(swept_settings(file, sweep)))
    return "These candidates differ in when texts end, so they stand in the order of the table.";
  return "Candidates stand above the number of sublayers they leave out (one that is left out both "
         "while reading and while writing counts once), those of one number side by side. "
         "Triangles leave out while reading alone, squares while writing alone.";
}

/// One stage's sweep: chart and table.
struct SweepPlace {
  int heading = 2;
  std::size_t number = 1;  ///< of the sweep, from 1
  std::string id;          ///< of its chart
};

std::string sweep_section(const SearchFile& file, std::span<const SweepRecord> sweep,
                          const SweepPlace& place) {
  const std::string& name = sweep.front().stage;
  const auto found = std::ranges::find(file.stages, name, &StageCandidates::stage);
  assert(found != file.stages.end());
  const auto stage = static_cast<std::size_t>(found - file.stages.begin());
  std::string text = fmt::format(
      "<section>\n<h{0}>{1}. {2}</h{0}>\n<figure>\n{3}<figcaption>Bars are 95 % intervals. The "
      "ringed candidate was chosen, filled ones are accurate enough, hollow ones were dropped "
      "(their accuracy is of the questions they were asked). Solid line: the full model; dashed: "
      "the limit. {4}</figcaption>\n</figure>\n",
      place.heading, place.number, html_escaped(name),
      html_scrolling("Chart of stage " + name, sweep_svg(file, sweep, place.id)),
      foot_words(file, sweep));
  std::string table = table_head(name);
  std::vector<SweepRecord> ordered(sweep.begin(), sweep.end());
  std::ranges::sort(ordered, {}, &SweepRecord::candidate);
  for (const SweepRecord& record : ordered)
    table +=
        table_row(record, found->candidates[static_cast<std::size_t>(record.candidate)], stage);
  table += "</tbody>\n</table>\n";
  return text + html_scrolling("Candidates of stage " + name, table) + "</section>\n";
}

std::string early_row(const EarlyCandidate& candidate, bool chosen) {
  const EarlyAnswers& early = candidate.early;
  const auto cell = [](const std::string& text) {
    return fmt::format("<td class=\"number\">{}</td>", text);
  };
  std::string row =
      fmt::format(R"(<tr class="{}"><th scope="row">{}</th>)", chosen ? "chosen-row" : "",
                  early.leave_at <= 1 ? fmt::format("at a lead of {:g}{}", early.leave_at,
                                                    early.ask_first ? ", asked first" : "")
                                      : "never taken");
  row += cell(early.most_branches == 0 ? "all" : std::to_string(early.most_branches));
  row += cell(std::to_string(candidate.left));
  row += cell(percent_with_interval(candidate.correct, candidate.questions));
  row += cell(fmt::format("{} / {}", candidate.lost, candidate.gained));
  return row + cell(fmt::format("{:.1f}", candidate.ms)) + "</tr>\n";
}

/// What early answers were tried, on top of what was chosen for the stages.
std::string early_section(const EarlySweep& sweep, int heading) {
  std::string table =
      "<table class=\"sweep\">\n<caption>Early answers</caption>\n<thead><tr><th "
      "scope=\"col\">early answer</th>";
  for (const char* column : {"branches", "questions left early", "% right (95 % interval)",
                             "lost / gained", "question ms"})
    table += fmt::format(R"(<th scope="col" class="number">{}</th>)", column);
  table += "</tr></thead>\n<tbody>\n";
  for (std::size_t i = 0; i < sweep.candidates.size(); ++i)
    table += early_row(sweep.candidates[i], i == sweep.chosen);
  table += "</tbody>\n</table>\n";
  return fmt::format(
             "<section>\n<h{0}>Early answers</h{0}>\n<p>On top of what was chosen above: where the "
             "likeliest option leads the next by so much, it is the answer, and the stages left "
             "are left out. The chosen way is marked.</p>\n",
             heading) +
         html_scrolling("Early answers", table) + "</section>\n";
}

}  // namespace

std::string search_fragment(const SearchFile& file, int heading, const std::string& id) {
  const PlanOrigin& origin = file.plan.origin;
  std::string text =
      fmt::format("<p class=\"quiet\">{}, {} threads. {}</p>\n", html_escaped(origin.machine),
                  origin.threads, html_escaped(origin.created));
  text += summary(file);
  const std::vector<SweepRecord>& sweeps = file.result.sweeps;
  std::size_t number = 0;
  for (std::size_t begin = 0; begin < sweeps.size();) {
    std::size_t end = begin;
    while (end < sweeps.size() && sweeps[end].stage == sweeps[begin].stage)
      ++end;
    ++number;
    text += sweep_section(file, std::span(sweeps).subspan(begin, end - begin),
                          {heading, number, fmt::format("{}{}", id, number)});
    begin = end;
  }
  if (sweeps.empty()) text += "<p>No stage was swept.</p>\n";
  if (!file.early.candidates.empty()) text += early_section(file.early, heading);
  return text;
}

std::string search_report_html(const SearchFile& file) {
  const std::string title =
      fmt::format("Search: {} on {}", file.plan.program, file.plan.model_name);
  return html_page({.title = title,
                    .body = fmt::format("<h1>{}</h1>\n{}", html_escaped(title),
                                        search_fragment(file, 2, "sweep")),
                    .styles = {SWEEP_CSS}});
}

}  // namespace litestage
