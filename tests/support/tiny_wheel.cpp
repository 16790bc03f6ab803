#include "support/tiny_wheel.h"

#include <archive.h>
#include <archive_entry.h>
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <stdexcept>
#include <utility>

#include "support/temporary.h"

namespace litestage::test {
namespace {

void add_member(archive* writer, const std::string& name, const std::string& content) {
  const std::unique_ptr<archive_entry, decltype(&archive_entry_free)> entry(archive_entry_new(),
                                                                            &archive_entry_free);
  archive_entry_set_pathname(entry.get(), name.c_str());
  archive_entry_set_size(entry.get(), static_cast<la_int64_t>(content.size()));
  archive_entry_set_filetype(entry.get(), AE_IFREG);
  archive_entry_set_perm(entry.get(), 0644);
  if (archive_write_header(writer, entry.get()) != ARCHIVE_OK ||
      archive_write_data(writer, content.data(), content.size()) < 0)
    throw std::runtime_error("the wheel cannot be written");
}

}  // namespace

PackageIndex::PackageIndex(std::filesystem::path folder) : folder_(std::move(folder)) {}

void PackageIndex::add(const std::string& package, const std::string& version,
                       const std::string& member, const std::string& content) {
  std::string module = package;
  std::ranges::replace(module, '-', '_');
  const std::string file = fmt::format("{}-{}-py3-none-any.whl", module, version);
  const std::string info = fmt::format("{}-{}.dist-info/", module, version);
  const auto page = folder_ / "simple" / package / "index.html";
  write_file(page, fmt::format("<html><body><a href=\"/files/{0}\">{0}</a></body></html>", file));
  std::filesystem::create_directories(folder_ / "files");

  const std::unique_ptr<archive, decltype(&archive_write_free)> writer(archive_write_new(),
                                                                       &archive_write_free);
  archive_write_set_format_zip(writer.get());
  if (archive_write_open_filename(writer.get(), (folder_ / "files" / file).c_str()) != ARCHIVE_OK)
    throw std::runtime_error("the wheel cannot be created");
  add_member(writer.get(), module + "/__init__.py", "");
  add_member(writer.get(), module + "/" + member, content);
  add_member(writer.get(), info + "METADATA",
             fmt::format("Metadata-Version: 2.1\nName: {}\nVersion: {}\n", package, version));
  add_member(writer.get(), info + "WHEEL",
             "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n");
  add_member(writer.get(), info + "RECORD", "");
}

std::string PackageIndex::answer(const std::string& path) const {
  std::filesystem::path file = folder_ / path.substr(1);
  if (path.ends_with('/')) file /= "index.html";
  return std::filesystem::is_regular_file(file) ? read_file(file) : "";
}

}  // namespace litestage::test
