#include "offline/damage_meter.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <tuple>

#include "base/parallel.h"
#include "offline/kept_distributions.h"
#include "offline/teacher_forcing.h"

namespace litestage {
namespace {

/// The traces whose rows fit, in their old order. First come the first branches of every question
/// and stage, question after question, then all second ones, and so on, up to the first that does
/// not fit: skipping that one would prefer short texts.
std::vector<StageTrace> that_fit(std::vector<StageTrace> traces, std::size_t most_rows) {
  using Turn = std::tuple<int, int, std::size_t>;  // branch, question, index
  std::map<std::pair<std::string, int>, int> branches;
  std::vector<Turn> turns;
  for (std::size_t i = 0; i < traces.size(); ++i) {
    const int branch = branches[{traces[i].stage, traces[i].question}]++;
    turns.emplace_back(branch, traces[i].question, i);
  }
  std::sort(turns.begin(), turns.end());
  std::vector<std::size_t> kept;
  std::size_t rows = 0;
  for (const auto& [branch, question, index] : turns) {
    rows += static_cast<std::size_t>(forced_rows(traces[index]));
    if (rows > most_rows) break;
    kept.push_back(index);
  }
  std::sort(kept.begin(), kept.end());
  std::vector<StageTrace> result;
  result.reserve(kept.size());
  for (const std::size_t index : kept)
    result.push_back(std::move(traces[index]));
  return result;
}

/// @param questions the one each difference belongs to
Damage mean_damage(const std::vector<KeptDistributions::Difference>& differences,
                   const std::vector<int>& questions) {
  struct Cluster {
    double sum = 0;
    int tokens = 0;
  };
  std::map<int, Cluster> clusters;
  double sum = 0;
  int same = 0;
  for (std::size_t i = 0; i < differences.size(); ++i) {
    Cluster& cluster = clusters[questions[i]];
    cluster.sum += differences[i].kl;
    ++cluster.tokens;
    sum += differences[i].kl;
    same += differences[i].same_top ? 1 : 0;
  }
  const auto tokens = static_cast<double>(differences.size());
  Damage damage{.kl = sum / tokens,
                .kl_error = 0,
                .top1 = same / tokens,
                .tokens = static_cast<int>(differences.size())};
  if (clusters.size() < 2) return damage;
  double squares = 0;
  for (const auto& [question, cluster] : clusters) {
    const double residual = cluster.sum - damage.kl * cluster.tokens;
    squares += residual * residual;
  }
  const auto count = static_cast<double>(clusters.size());
  damage.kl_error = std::sqrt(count / (count - 1) * squares) / tokens;
  return damage;
}

}  // namespace

struct DamageMeter::Impl {
  Impl(Decoder& with, std::vector<StageTrace> traces)
      : decoder(with), forcing(with, std::move(traces)) {}

  int vocabulary_size() const { return decoder.model().vocabulary_size(); }
  /// The full model's rows of all stages. False when it was interrupted.
  bool keep_full();
  /// Calls `work(row of the stage, logits)` for every row of a result, on all threads.
  void each_row(std::span<const int> rows, const ForwardResult& result,
                const std::function<void(int, std::span<const float>)>& work) const {
    for_each_index(static_cast<int>(rows.size()), decoder.options().threads, [&](int i) {
      work(rows[static_cast<std::size_t>(i)], result.row(i, vocabulary_size()));
    });
  }

  Decoder& decoder;
  TeacherForcing forcing;
  std::map<std::string, KeptDistributions> full;  ///< by stage; empty when it was interrupted
};

// All contexts come first: texts then stand in the very cells in which they will be measured, and
// sums over cells round alike. With quantised weights other cells alone make 1e-4 nats.
bool DamageMeter::Impl::keep_full() {
  const auto keep_all = [&](auto&& take_rows) {
    const std::vector<std::string>& stages = forcing.stages();
    return std::all_of(stages.begin(), stages.end(), [&](const std::string& stage) {
      KeptDistributions& kept =
          full.try_emplace(stage, forcing.row_count(stage), vocabulary_size()).first->second;
      return take_rows(stage, [&](std::span<const int> rows, const ForwardResult& result) {
        each_row(rows, result,
                 [&](int row, std::span<const float> logits) { kept.keep(row, logits); });
      });
    });
  };
  using Sink = TeacherForcing::RowSink;
  return keep_all([&](const std::string& stage, const Sink& sink) {
           return forcing.read(stage, sink);
         }) &&
         keep_all([&](const std::string& stage, const Sink& sink) {
           return forcing.run(stage, {}, sink);
         });
}

DamageMeter::DamageMeter(Decoder& decoder, std::vector<StageTrace> traces, std::size_t kept_bytes) {
  const std::size_t row = KeptDistributions::row_bytes(decoder.model().vocabulary_size());
  impl_ = std::make_unique<Impl>(decoder, that_fit(std::move(traces), kept_bytes / row));
  if (!impl_->keep_full()) impl_->full.clear();
}

DamageMeter::~DamageMeter() = default;

Damage DamageMeter::measure(const std::string& stage, const StageSettings& settings) {
  const auto full = impl_->full.find(stage);
  if (full == impl_->full.end()) return {};
  // Rows that are not handed out are as the full model has them.
  std::vector<KeptDistributions::Difference> differences(
      static_cast<std::size_t>(impl_->forcing.row_count(stage)));
  const bool done = impl_->forcing.run(
      stage, settings, [&](std::span<const int> rows, const ForwardResult& result) {
        impl_->each_row(rows, result, [&](int index, std::span<const float> logits) {
          differences[static_cast<std::size_t>(index)] = full->second.compare(index, logits);
        });
      });
  return done ? mean_damage(differences, impl_->forcing.questions(stage)) : Damage{};
}

int DamageMeter::tokens(const std::string& stage) const {
  return impl_->full.contains(stage) ? impl_->forcing.row_count(stage) : 0;
}

}  // namespace litestage
