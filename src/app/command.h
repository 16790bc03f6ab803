#pragma once

#include <functional>

namespace CLI {
class App;
}

namespace litestage {
class Ranks;
}

namespace litestage::app {

/// What the verb on the command line wants done; returns the exit code. UserError becomes exit
/// code 2.
using Action = std::function<int()>;

/// Exit codes, as documented in docs/cli.md.
enum ExitCode : int { EXIT_FINE = 0, EXIT_BUG = 1, EXIT_USER_ERROR = 2, EXIT_INTERRUPTED = 130 };

/// Each verb lives in its own VERB_command.cpp, declares its flags on a subcommand and, when that
/// verb is chosen, leaves what is to be done in `action`.
void add_models_commands(CLI::App& app, Action& action);  // models, pull
void add_run_command(CLI::App& app, Action& action);
void add_profile_command(CLI::App& app, Action& action);
void add_plan_command(CLI::App& app, Action& action);  // plan show, plan diff, plan validate
/// tune, search
/// @param ranks processes that share the questions, or null; must outlive the action
void add_search_commands(CLI::App& app, Action& action, Ranks* ranks);
void add_retime_command(CLI::App& app, Action& action);
void add_head_command(CLI::App& app, Action& action);
void add_report_command(CLI::App& app, Action& action);
/// @param ranks as above
void add_eval_command(CLI::App& app, Action& action, Ranks* ranks);
void add_bench_command(CLI::App& app, Action& action);
void add_serve_command(CLI::App& app, Action& action);
void add_doctor_command(CLI::App& app, Action& action);

}  // namespace litestage::app
