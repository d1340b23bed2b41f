// The parts that need no connection.
#include "common/http2/closed_streams.h"
#include "common/http2/flood_guard.h"
#include "common/http2/frame_walker.h"
#include "common/http2/out_buffer.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace aquifer::http2 {
namespace {

using How = ClosedStreams::How;
using Verdict = ClosedStreams::Verdict;

TEST_CASE("a closed stream is judged by how it closed, as long as it is remembered") {
  ClosedStreams streams;
  for (const std::int32_t id : {1, 3, 5, 9, 11}) CHECK(streams.headers(id) == Verdict::fine);
  streams.close(1, How::ended);
  streams.close(3, How::reset_by_peer);
  streams.close(5, How::reset_by_us);
  CHECK(streams.judge(1) == Verdict::after_the_end);
  CHECK(streams.judge(3) == Verdict::after_reset);
  CHECK(streams.judge(5) == Verdict::fine);
  CHECK(streams.headers(7) == Verdict::never_opened);
  CHECK(streams.judge(9) == Verdict::fine);
  CHECK(streams.judge(13) == Verdict::fine);  // idle: nghttp2 knows
  // A reset of the peer's after ours: nothing more was under way.
  streams.close(5, How::reset_by_peer);
  CHECK(streams.judge(5) == Verdict::after_reset);
  streams.close(1, How::reset_by_peer);
  CHECK(streams.judge(1) == Verdict::after_the_end);
  CHECK(streams.headers(1001) == Verdict::fine);
  CHECK(streams.judge(1) == Verdict::fine);
  CHECK(streams.judge(0x7fffffff) == Verdict::fine);
}

TEST_CASE("a flood guard admits its burst, then its rate, and what is earned") {
  FloodLimits limits;
  limits.by_kind[static_cast<std::size_t>(Flood::ping)] = {.burst = 3, .per_second = 10};
  FloodGuard guard(limits);
  for (int i = 0; i < 3; ++i) CHECK(guard.admit(Flood::ping, 4'000'000'000U));
  CHECK(!guard.admit(Flood::ping, 4'000'000'000U));
  CHECK(guard.admit(Flood::settings, 4'000'000'000U));
  CHECK(guard.admit(Flood::ping, 4'000'000'100U));
  CHECK(!guard.admit(Flood::ping, 4'000'000'100U));
  guard.earn(Flood::ping, 1);
  CHECK(guard.admit(Flood::ping, 4'000'000'100U));
  // The clock of milliseconds may go round.
  CHECK(guard.admit(Flood::ping, 100U));
}

TEST_CASE("heads of frames are found wherever the bytes are cut") {
  std::vector<std::uint8_t> bytes(5, 'p');  // a preface
  const auto add = [&](std::uint8_t type, std::uint8_t length, std::uint8_t stream) {
    const std::uint8_t head[] = {0, 0, length, type, 7, 0x80, 0, 1, stream};
    bytes.insert(bytes.end(), std::begin(head), std::end(head));
    bytes.insert(bytes.end(), length, 'x');
  };
  add(1, 0, 3);
  add(2, 200, 5);
  add(3, 4, 7);
  for (std::size_t size = 1; size <= bytes.size(); ++size) {
    FrameWalker walker(5);
    std::string seen;
    for (std::size_t at = 0; at < bytes.size(); at += size) {
      const ByteView piece = ByteView(bytes).subspan(at, std::min(size, bytes.size() - at));
      walker.walk(piece, [&](const FrameHead& head) {
        seen += std::to_string(head.type) + "/" + std::to_string(head.length) + "/" +
                std::to_string(head.stream) + " ";
        CHECK(head.flags == 7);
      });
    }
    CHECK(seen == "1/0/259 2/200/261 3/4/263 ");
  }
}

TEST_CASE("an out buffer gives back what was put in, in pieces as they are allowed") {
  OutBuffer out;
  std::string expected;
  std::string got;
  for (int i = 0; i < 3'000; ++i) {
    const std::string piece(static_cast<std::size_t>(i % 97), static_cast<char>('a' + i % 26));
    out.append(as_bytes(piece));
    expected += piece;
    if (i % 50 == 0) got += as_text(out.take(1'000).view());
    CHECK(out.size() == expected.size() - got.size());
  }
  while (!out.empty()) got += as_text(out.take(1'000'000).view());
  CHECK(got == expected);
}

}  // namespace
}  // namespace aquifer::http2
