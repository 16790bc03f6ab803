#include "base/text_file.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>

#include "base/file_beside.h"
#include "litestage/error.h"

namespace litestage {

std::string read_text_file(const std::string& path) {
  std::error_code error;
  const std::filesystem::file_status status = std::filesystem::status(path, error);
  if (status.type() == std::filesystem::file_type::not_found) {
    throw UserError(path, "there is no such file", "check the path");
  }
  if (std::filesystem::is_directory(status)) {
    throw UserError(path, "is a folder", "name a file in it");
  }
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  std::string text;
  if (file) text.assign(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  if (!file.is_open() || file.bad()) {
    throw UserError(path, "cannot be read: " + std::string(std::strerror(errno)));
  }
  if (text.starts_with("\xEF\xBB\xBF")) text.erase(0, 3);
  return text;
}

void write_text_file(const std::string& path, std::string_view text) {
  const FileBeside beside(path);
  std::FILE* file = std::fopen(beside.path().c_str(), "wb");
  bool written = file != nullptr;
  written = written && std::fwrite(text.data(), 1, text.size(), file) == text.size();
  int reason = errno;
  if (file != nullptr && std::fclose(file) != 0 && written) {
    written = false;
    reason = errno;
  }
  if (!written) beside.fail(std::generic_category().message(reason));
  beside.take_its_place();
}

TextPosition position_at(std::string_view text, std::size_t offset, TextPosition start) {
  TextPosition position = start;
  for (const char c : text.substr(0, std::min(offset, text.size()))) {
    if (c == '\n') {
      ++position.line;
      position.column = 1;
    } else if ((static_cast<unsigned char>(c) & 0xC0) != 0x80) {  // not the rest of a character
      ++position.column;
    }
  }
  return position;
}

std::string located(const std::string& file, TextPosition position) {
  return located(file, position.line) + ":" + std::to_string(position.column);
}

std::string located(const std::string& file, std::size_t line) {
  return file + ":" + std::to_string(line);
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view BLANKS = " \t\r\n\v\f";
  const std::size_t begin = text.find_first_not_of(BLANKS);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(BLANKS) - begin + 1);
}

}  // namespace litestage
