#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "fetch/part_file.h"
#include "fetch/transfer.h"

namespace litestage::fetch {

struct DownloadPolicy {
  int attempts = 5;                            ///< in a row that bring nothing new
  std::chrono::milliseconds first_delay{500};  ///< doubles with each of them
  std::chrono::seconds stall{30};  ///< with less than 1 kB/s: the connection counts as lost
};

struct HttpRequest {
  std::string url;
  std::string bearer_token;  ///< sent to this host only, never on to where it redirects
};

/// Brings a file by HTTP into `part`, going on from where it ends. Dropped connections, stalls, and
/// answers 429 and 5xx are tried again; a server that ignores ranges makes it start over.
/// @param expected_bytes of the whole file; 0: what the server says
/// @throws SourceFailure when the server cannot deliver; UserError when the disk cannot take it
TransferEnd download(const HttpRequest& request, PartFile& part, std::uint64_t expected_bytes,
                     const ByteProgress& progress, const DownloadPolicy& policy = {});

/// A small document, at most 16 MB; nothing when `go_on` said no.
/// @throws SourceFailure
std::optional<std::string> get_text(const HttpRequest& request, const std::function<bool()>& go_on,
                                    const DownloadPolicy& policy = {});

/// A name as part of an URL's path; slashes stay.
std::string escape_path(const std::string& path);

}  // namespace litestage::fetch
