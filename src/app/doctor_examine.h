#pragma once

#include "app/doctor_report.h"

namespace litestage::app {

/// Looks at this machine and this build; takes a few seconds.
/// @throws UserError when no folder for models can be told
DoctorReport examine_machine();

}  // namespace litestage::app
