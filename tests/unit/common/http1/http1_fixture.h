// What the tests of whole connections share: one end of a memory stream in our hands, and a loop.
#pragma once

#include "common/http/stream.h"
#include "tests/unit/common/http2/memory_stream.h"
#include "tests/unit/common/io/io_fixture.h"

#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace aquifer::http1::testing {

using http2::testing::MemoryStream;

/// Runs `test(loop, arguments...)`, a coroutine function without captures.
template <typename Test, typename... Arguments>
void run(Test test, Arguments&&... arguments) {
  io::run_on<io::Epoll>(test, std::forward<Arguments>(arguments)...);
}

inline void say(io::ByteStream& stream, std::string_view text) {
  REQUIRE(stream.write(io::Buffer::copy_of(as_bytes(text))));
}

/// What has come until now and can be read without waiting, up to an end or failure.
inline coro::Task<std::string> heard(MemoryStream& stream) {
  std::string all;
  while (!stream.is_quiet()) {
    const auto piece = co_await stream.read(1 << 20, nullptr);
    if (!piece || piece->empty()) break;
    all.append(as_text(piece->view()));
  }
  co_return all;
}

/// The rest of a message; "failed" in its place when it broke off.
inline coro::Task<std::string> rest_of(http::Incoming& message) {
  std::string all;
  for (;;) {
    const auto piece = co_await message.read(nullptr);
    if (!piece) co_return all.append("failed");
    if (piece->empty()) co_return all;
    all.append(as_text(piece->view()));
  }
}

}  // namespace aquifer::http1::testing
