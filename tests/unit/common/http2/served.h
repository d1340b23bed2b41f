// Ways to serve the requests of a raw client.
#pragma once

#include "tests/unit/common/http2/raw_peer.h"

#include <memory>
#include <utility>
#include <vector>

namespace aquifer::http2::testing {

/// What the test and those who serve its requests share.
struct Served {
  std::vector<std::unique_ptr<http::ServerStream>> held;
  std::vector<Error> failures;
};

inline coro::Task<void> keep(Served& served, std::unique_ptr<http::ServerStream> stream) {
  served.held.push_back(std::move(stream));
  co_return;
}
inline Serve keeping(Served& served) {
  return [&served](std::unique_ptr<http::ServerStream> stream) {
    return keep(served, std::move(stream));
  };
}

/// Answers at once, without a body.
inline coro::Task<void> greet(std::unique_ptr<http::ServerStream> stream) {
  std::ignore = stream->respond(answer(), http::End::yes);
  co_return;
}

/// Asks, and waits until the server has looked at everything so far.
inline coro::Task<void> settle(RawPeer& peer) {
  peer.send(frame(kPing, 0, 0, "settle.."));
  const Frame pong = co_await peer.next_of(kPing);
  CHECK(pong.payload == "settle..");
}

}  // namespace aquifer::http2::testing
