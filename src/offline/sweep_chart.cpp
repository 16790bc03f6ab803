#include "offline/sweep_chart.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <span>

#include <fmt/format.h>

#include "base/binomial.h"
#include "base/html.h"
#include "eval/paired_accuracy.h"
#include "offline/sweep_svg.h"

namespace litestage {
namespace {

constexpr std::string_view STYLE = R"(
:root { color-scheme: light dark; --page: #ffffff; --text: #1c2430; --quiet: #5b6675; --line: #dde2e8;
  --accent: #1d5fd1; --mark: #47566b; --faint: #a3adba; --limit: #b3401f; }
@media (prefers-color-scheme: dark) { :root { --page: #14181e; --text: #e4e8ee; --quiet: #9ba6b5;
  --line: #2c343f; --accent: #7fb0ff; --mark: #b4c0cf; --faint: #5f6b7a; --limit: #f08a68; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem 1rem 4rem; max-width: 68rem; background: var(--page);
  color: var(--text); font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0 0 .25rem; overflow-wrap: anywhere; }
h2 { font-size: 1.15rem; margin: 2.5rem 0 .5rem; }
p { margin: .25rem 0 .75rem; max-width: 46rem; }
.quiet, figcaption { color: var(--quiet); font-size: .9rem; }
dl { display: grid; grid-template-columns: repeat(auto-fit, minmax(15rem, 1fr)); gap: .75rem 2rem;
  margin: 1.25rem 0; }
dt { color: var(--quiet); font-size: .85rem; }
dd { margin: 0; font-size: 1.05rem; }
figure { margin: 0; }
.wide { overflow-x: auto; }
svg { display: block; width: 100%; min-width: 22rem; height: auto; font: 13px system-ui, sans-serif; }
svg text { fill: var(--text); }
svg .tick { fill: var(--quiet); }
svg .strong { fill: var(--accent); font-weight: 700; }
.grid { stroke: var(--line); }
.full { stroke: var(--quiet); }
.limit { stroke: var(--limit); stroke-dasharray: 5 4; }
.accepted, .chosen, .dropped { fill: none; stroke-width: 1.5; }
.accepted { stroke: var(--mark); }
.accepted circle { fill: var(--mark); }
.chosen { stroke: var(--accent); }
.chosen circle { fill: var(--accent); }
.chosen circle.ring { fill: none; }
.dropped { stroke: var(--faint); }
.dropped circle { fill: var(--page); }
table { border-collapse: collapse; width: 100%; margin-top: 1rem; font-size: .88rem;
  font-variant-numeric: tabular-nums; }
th, td { padding: .35rem .7rem .35rem 0; border-bottom: 1px solid var(--line); text-align: left;
  vertical-align: top; }
th { font-weight: 600; }
th[scope=col] { color: var(--quiet); white-space: nowrap; }
td.number { text-align: right; white-space: nowrap; }
th.number { text-align: right; }
tr.dropped-row { color: var(--quiet); }
tr.chosen-row > * { border-bottom: 2px solid var(--accent); }
code { font-size: .85em; overflow-wrap: anywhere; }
)";

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

std::string milliseconds(const TimedChoice& time) {
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

std::string head(const SearchFile& file) {
  const Plan& plan = file.plan;
  const std::string title = html_escaped(fmt::format("{} on {}", plan.program, plan.model_name));
  return fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta "
      "name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>Search: "
      "{}</title>\n"
      "<style>{}</style>\n</head>\n<body>\n<main>\n<h1>Search: {}</h1>\n<p class=\"quiet\">{}, {} "
      "threads. {}</p>\n",
      title, STYLE, title, html_escaped(plan.origin.machine), plan.origin.threads,
      html_escaped(plan.origin.created));
}

std::string summary(const SearchFile& file) {
  const SearchResult& result = file.result;
  const MeasuredAccuracy& accuracy = result.accuracy;
  std::string text;
  if (result.interrupted)
    text += "<p><strong>The search was stopped before its end.</strong></p>\n";
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
  text += fact("Full model, ms a question", milliseconds(result.full_time));
  text += fact("Chosen plan, ms a question", milliseconds(result.chosen_time));
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
      "<div class=\"wide\">\n<table>\n<caption class=\"quiet\">Candidates of stage {}</caption>\n"
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
  number(record.time ? milliseconds(*record.time) : "–");
  number(record.questions == 0 ? "–" : fmt::format("{:.1f}", record.written[stage]));
  number(std::isnan(candidate.damage) ? "–" : fmt::format("{:.3f}", candidate.damage));
  return row + "</tr>\n";
}

std::string sweep_section(const SearchFile& file, std::span<const SweepRecord> sweep,
                          std::size_t number) {
  const std::string& name = sweep.front().stage;
  const auto found = std::ranges::find(file.stages, name, &StageCandidates::stage);
  assert(found != file.stages.end());
  const auto stage = static_cast<std::size_t>(found - file.stages.begin());
  std::string text = fmt::format(
      "<section>\n<h2>{}. {}</h2>\n<figure>\n<div class=\"wide\">\n{}</div>\n<figcaption>Bars are "
      "95 % intervals. The ringed candidate was chosen, filled ones are accurate enough, hollow "
      "ones "
      "were dropped (their accuracy is of the questions they were asked). Solid line: the full "
      "model; dashed: the limit.</figcaption>\n</figure>\n",
      number, html_escaped(name), sweep_svg(file, sweep, fmt::format("sweep{}", number)));
  text += table_head(name);
  std::vector<SweepRecord> ordered(sweep.begin(), sweep.end());
  std::ranges::sort(ordered, {}, &SweepRecord::candidate);
  for (const SweepRecord& record : ordered)
    text += table_row(record, found->candidates[static_cast<std::size_t>(record.candidate)], stage);
  return text + "</tbody>\n</table>\n</div>\n</section>\n";
}

}  // namespace

std::string search_report_html(const SearchFile& file) {
  std::string page = head(file) + summary(file);
  const std::vector<SweepRecord>& sweeps = file.result.sweeps;
  std::size_t number = 0;
  for (std::size_t begin = 0; begin < sweeps.size();) {
    std::size_t end = begin;
    while (end < sweeps.size() && sweeps[end].stage == sweeps[begin].stage)
      ++end;
    page += sweep_section(file, std::span(sweeps).subspan(begin, end - begin), ++number);
    begin = end;
  }
  if (sweeps.empty()) page += "<p>No stage was swept.</p>\n";
  return page + "</main>\n</body>\n</html>\n";
}

}  // namespace litestage
