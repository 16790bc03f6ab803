#include "fetch/download.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>

#include "base/sha256.h"
#include "fetch/http_transfer.h"
#include "litestage/error.h"
#include "support/http_server.h"
#include "support/temporary.h"

namespace litestage::fetch {
namespace {

using test::file_reply;
using test::HttpServer;
using test::read_file;
using test::Reply;
using test::ServedRequest;
using test::write_file;

const DownloadPolicy QUICK{5, std::chrono::milliseconds(1), std::chrono::seconds(1)};

std::string digest_of(const std::string& content) {
  return sha256_hex(content);
}

class Download : public testing::Test {
 protected:
  /// The whole way: part file, transfer, checksum, rename.
  TransferEnd fetch(const HttpServer& server, std::uint64_t expected = 0,
                    const ByteProgress& progress = {}) const {
    PartFile part(target_);
    const auto end = download({server.url("/file"), ""}, part, expected, progress, QUICK);
    if (end == TransferEnd::complete) part.commit(digest_of(content_));
    return end;
  }

  std::string failure(const HttpServer& server, std::uint64_t expected = 0) const {
    try {
      fetch(server, expected);
    } catch (const SourceFailure& error) {
      return error.what();
    }
    return "no failure";
  }

  bool part_exists() const { return std::filesystem::exists(part_); }

  const std::string content_ = test::random_bytes(300'000, 1);
  const test::TemporaryFolder folder_;
  const std::filesystem::path target_ = folder_ / "deep/er/model.gguf";
  const std::filesystem::path part_ = target_.string() + ".part";
};

TEST_F(Download, BringsAFile) {
  const HttpServer server(
      [&](const ServedRequest& request) { return file_reply(content_, request); });
  EXPECT_EQ(fetch(server), TransferEnd::complete);
  EXPECT_EQ(read_file(target_), content_);
  EXPECT_FALSE(part_exists());
  EXPECT_EQ(server.requests().size(), 1U);
}

TEST_F(Download, GoesOnAfterDroppedConnections) {
  const HttpServer server([&](const ServedRequest& request) {
    Reply reply = file_reply(content_, request);
    reply.cut_after = 70'000;
    return reply;
  });
  EXPECT_EQ(fetch(server, content_.size()), TransferEnd::complete);
  EXPECT_EQ(read_file(target_), content_);
  const auto requests = server.requests();
  ASSERT_EQ(requests.size(), 5U);
  EXPECT_EQ(requests[1].range_begin(), 70'000U);
  EXPECT_EQ(requests[4].range_begin(), 280'000U);
}

TEST_F(Download, NoticesABodyThatEndsEarlyWithoutALength) {
  const HttpServer server([&](const ServedRequest& request) {
    Reply reply = file_reply(content_, request);
    reply.announce_length = false;
    reply.cut_after = 200'000;
    return reply;
  });
  EXPECT_EQ(fetch(server, content_.size()), TransferEnd::complete);
  EXPECT_EQ(read_file(target_), content_);
  EXPECT_EQ(server.requests().size(), 2U);
}

TEST_F(Download, GoesOnFromAnEarlierRun) {
  write_file(part_, content_.substr(0, 123'456));
  const HttpServer server(
      [&](const ServedRequest& request) { return file_reply(content_, request); });
  EXPECT_EQ(fetch(server), TransferEnd::complete);
  EXPECT_EQ(read_file(target_), content_);
  EXPECT_EQ(server.requests().at(0).range_begin(), 123'456U);
}

TEST_F(Download, NeedsNoServerWhenEverythingIsThere) {
  write_file(part_, content_);
  const HttpServer server([&](const ServedRequest&) { return Reply{.status = 500}; });
  EXPECT_EQ(fetch(server, content_.size()), TransferEnd::complete);
  EXPECT_EQ(read_file(target_), content_);
  EXPECT_TRUE(server.requests().empty());
}

TEST_F(Download, UnderstandsThatNothingIsMissing) {
  write_file(part_, content_);
  const HttpServer server(
      [&](const ServedRequest& request) { return file_reply(content_, request); });
  EXPECT_EQ(fetch(server), TransferEnd::complete);
  EXPECT_EQ(read_file(target_), content_);
  EXPECT_EQ(server.requests().size(), 1U);
}

TEST_F(Download, StartsOverWhenThePartIsTooLong) {
  write_file(part_, content_ + "more");
  const HttpServer server(
      [&](const ServedRequest& request) { return file_reply(content_, request); });
  EXPECT_EQ(fetch(server), TransferEnd::complete);
  EXPECT_EQ(read_file(target_), content_);
}

TEST_F(Download, StartsOverWhenRangesAreIgnored) {
  write_file(part_, content_.substr(0, 100'000));
  const HttpServer server([&](const ServedRequest&) { return Reply{.body = content_}; });
  EXPECT_EQ(fetch(server, content_.size()), TransferEnd::complete);
  EXPECT_EQ(read_file(target_), content_);
}

TEST_F(Download, GivesUpWhenEveryAttemptStartsOverAndBreaks) {
  const HttpServer server(
      [&](const ServedRequest&) { return Reply{.body = content_, .cut_after = 150'000}; });
  EXPECT_NE(failure(server, content_.size()).find("after 5 attempts"), std::string::npos);
  EXPECT_EQ(server.requests().size(), 5U);
  EXPECT_FALSE(std::filesystem::exists(target_));
  EXPECT_TRUE(part_exists());
}

TEST_F(Download, RefusesAnotherRangeThanAskedFor) {
  write_file(part_, content_.substr(0, 100));
  const HttpServer server([&](const ServedRequest&) {
    return Reply{.status = 206,
                 .headers = {"Content-Range: bytes 50-299999/300000"},
                 .body = content_.substr(50)};
  });
  EXPECT_NE(failure(server).find("another range"), std::string::npos);
  EXPECT_EQ(read_file(part_), content_.substr(0, 100));
}

TEST_F(Download, RefusesAFileOfAnotherLength) {
  const HttpServer server(
      [&](const ServedRequest& request) { return file_reply(content_, request); });
  EXPECT_EQ(failure(server, 299'999),
            "the server's file has 300000 bytes, and 299999 are expected");
  EXPECT_FALSE(part_exists());
}

TEST_F(Download, RefusesABodyThatNeverEnds) {
  const HttpServer server([&](const ServedRequest&) {
    return Reply{.body = content_ + content_, .announce_length = false};
  });
  EXPECT_NE(failure(server, content_.size()).find("more than"), std::string::npos);
}

TEST_F(Download, RefusesDamagedContentAndLeavesNothing) {
  std::string damaged = content_;
  damaged[200'000] ^= 1;
  write_file(target_, "the good file from before");
  const HttpServer server(
      [&](const ServedRequest& request) { return file_reply(damaged, request); });
  EXPECT_NE(failure(server).find("SHA-256"), std::string::npos);
  EXPECT_FALSE(part_exists());
  EXPECT_EQ(read_file(target_), "the good file from before");
}

TEST_F(Download, TriesServerErrorsAgain) {
  int count = 0;
  const HttpServer server([&](const ServedRequest& request) {
    return ++count < 4 ? Reply{.status = count == 2 ? 429 : 503, .body = "busy"}
                       : file_reply(content_, request);
  });
  EXPECT_EQ(fetch(server), TransferEnd::complete);
  EXPECT_EQ(read_file(target_), content_);
}

TEST_F(Download, GivesUpOnAServerThatStaysBroken) {
  const HttpServer server([&](const ServedRequest&) { return Reply{.status = 500}; });
  EXPECT_EQ(failure(server), "the server answered HTTP 500 (after 5 attempts)");
  EXPECT_FALSE(part_exists());
}

TEST_F(Download, DoesNotTryAgainWhatCannotChange) {
  for (const int status : {404, 401, 403, 410}) {
    const HttpServer server(
        [&](const ServedRequest&) { return Reply{.status = status, .body = "x"}; });
    EXPECT_NE(failure(server).find(std::to_string(status)), std::string::npos);
    EXPECT_EQ(server.requests().size(), 1U);
  }
}

TEST_F(Download, SaysThatNobodyListens) {
  std::string url;
  {
    const HttpServer server([](const ServedRequest&) { return Reply{}; });
    url = server.url("/file");
  }
  PartFile part(target_);
  try {
    download({url, ""}, part, 0, {}, QUICK);
    FAIL();
  } catch (const SourceFailure& error) {
    EXPECT_NE(std::string(error.what()).find("127.0.0.1"), std::string::npos) << error.what();
  }
}

TEST_F(Download, FollowsRedirectsAndKeepsTheTokenFromOtherHosts) {
  const HttpServer other(
      [&](const ServedRequest& request) { return file_reply(content_, request); });
  const HttpServer server([&](const ServedRequest&) {
    return Reply{.status = 302, .headers = {"Location: " + other.url("/blob")}, .body = "moved"};
  });
  write_file(part_, content_.substr(0, 1000));
  PartFile part(target_);
  EXPECT_EQ(download({server.url("/file"), "secret"}, part, 0, {}, QUICK), TransferEnd::complete);
  part.commit(digest_of(content_));
  EXPECT_EQ(read_file(target_), content_);
  EXPECT_EQ(server.requests().at(0).headers.at("authorization"), "Bearer secret");
  EXPECT_FALSE(other.requests().at(0).headers.contains("authorization"));
  EXPECT_EQ(other.requests().at(0).range_begin(), 1000U);
}

TEST_F(Download, ALoopOfRedirectsEnds) {
  const HttpServer server(
      [](const ServedRequest&) { return Reply{.status = 302, .headers = {"Location: /file"}}; });
  EXPECT_NE(failure(server).find("redirect"), std::string::npos);
}

TEST_F(Download, AStalledConnectionCountsAsLost) {
  int count = 0;
  const HttpServer server([&](const ServedRequest& request) {
    Reply reply = file_reply(content_, request);
    if (++count == 1) {
      reply.cut_after = 100'000;
      reply.hang_at_cut = true;
    }
    return reply;
  });
  EXPECT_EQ(fetch(server), TransferEnd::complete);
  EXPECT_EQ(read_file(target_), content_);
  EXPECT_EQ(server.requests().at(1).range_begin(), 100'000U);
}

TEST_F(Download, StopsWhenToldAndKeepsWhatCame) {
  const HttpServer server([&](const ServedRequest& request) {
    Reply reply = file_reply(content_, request);
    reply.cut_after = 100'000;
    reply.hang_at_cut = true;
    return reply;
  });
  EXPECT_EQ(fetch(server, 0, [](std::uint64_t done, std::uint64_t) { return done < 100'000; }),
            TransferEnd::interrupted);
  EXPECT_EQ(read_file(part_), content_.substr(0, 100'000));
  EXPECT_FALSE(std::filesystem::exists(target_));
}

/// Lets files grow to `bytes` only, as a full disk does, and puts things right again.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) : signal_(std::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{bytes, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, signal_);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;

 private:
  rlimit before_{};
  void (*signal_)(int);
};

TEST_F(Download, ADiskThatTakesNoMoreIsTheUsersErrorAndTheNextRunGoesOn) {
  const HttpServer server(
      [&](const ServedRequest& request) { return file_reply(content_, request); });
  write_file(target_, "the good file from before");
  {
    const FileSizeLimit limit(150'000);
    try {
      fetch(server);
      FAIL();
    } catch (const UserError& error) {
      EXPECT_EQ(error.where(), part_.string());
      EXPECT_NE(std::string(error.what()).find("too large"), std::string::npos) << error.what();
    }
  }
  EXPECT_EQ(read_file(target_), "the good file from before");
  const auto kept = std::filesystem::file_size(part_);
  EXPECT_GT(kept, 0U);
  EXPECT_LE(kept, 150'000U);
  EXPECT_EQ(fetch(server), TransferEnd::complete);
  EXPECT_EQ(read_file(target_), content_);
  EXPECT_EQ(server.requests().at(1).range_begin(), kept);
}

TEST(PartFile, AFullDeviceIsNamed) {
  // Every write to this device fails as on a full disk.
  const test::TemporaryFolder folder;
  std::filesystem::create_symlink("/dev/full", folder / "model.gguf.part");
  PartFile part(folder / "model.gguf");
  try {
    part.append(std::as_bytes(std::span("bytes", 5)));
    FAIL();
  } catch (const UserError& error) {
    EXPECT_NE(std::string(error.what()).find("no space is left"), std::string::npos)
        << error.what();
  }
}

TEST(PartFile, AFileWhereAFolderShouldBeIsOneClearError) {
  const test::TemporaryFolder folder;
  write_file(folder / "file", "x");
  try {
    const PartFile part(folder / "file/models/model.gguf");
    FAIL();
  } catch (const UserError& error) {
    EXPECT_NE(std::string(error.what()).find("LITESTAGE_CACHE"), std::string::npos);
  }
  EXPECT_EQ(read_file(folder / "file"), "x");
}

TEST(PartFile, ASecondDownloadIsRefused) {
  const test::TemporaryFolder folder;
  const PartFile first(folder / "model.gguf");
  EXPECT_THROW(PartFile(folder / "model.gguf"), UserError);
}

TEST(PartFile, NothingIsLeftWhenNothingCame) {
  const test::TemporaryFolder folder;
  { const PartFile part(folder / "model.gguf"); }
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(PartFile, WithoutAChecksumTheContentMustAtLeastBeGguf) {
  const test::TemporaryFolder folder;
  for (const std::string content : {"GGUF and more", "<html>sorry</html>"}) {
    PartFile part(folder / "model.gguf");
    part.keep(0);
    part.append(std::as_bytes(std::span(content)));
    if (content.starts_with("GGUF"))
      EXPECT_NO_THROW(part.commit(""));
    else
      EXPECT_THROW(part.commit(""), SourceFailure);
  }
  EXPECT_EQ(read_file(folder / "model.gguf"), "GGUF and more");
}

TEST(ContentRange, IsReadStrictly) {
  EXPECT_EQ(parse_content_range(" bytes 5-9/10\r\n")->first, 5);
  EXPECT_EQ(parse_content_range("bytes 5-9/10")->total, 10);
  EXPECT_EQ(parse_content_range("bytes */10")->first, -1);
  EXPECT_EQ(parse_content_range("bytes 5-9/*")->total, -1);
  for (const char* wrong : {"", "5-9/10", "bytes 5-9", "bytes -/10", "bytes x-9/10", "bytes 5-9/1x",
                            "bytes 5-9/-3", "bytes 99999999999999999999-1/2"})
    EXPECT_FALSE(parse_content_range(wrong)) << wrong;
}

TEST(Sha256, KnowsTheStandardsExample) {
  EXPECT_EQ(digest_of("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(EscapePath, KeepsSlashesOnly) {
  EXPECT_EQ(escape_path("a b/c#d?.gguf"), "a%20b/c%23d%3F.gguf");
}

TEST(BytesText, CountsInPowersOfTen) {
  EXPECT_EQ(bytes_text(999), "999 B");
  EXPECT_EQ(bytes_text(98'362'432), "98.4 MB");
  EXPECT_EQ(bytes_text(1'117'320'768), "1.1 GB");
  EXPECT_EQ(bytes_text(999'999'999), "1.0 GB");
}

}  // namespace
}  // namespace litestage::fetch
