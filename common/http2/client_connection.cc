#include "common/http2/client_connection.h"

#include "common/http2/client_stream.h"

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <utility>

namespace aquifer::http2 {
namespace {

constexpr Error kClosed =
    Error(Errc::closed, ErrorSource::upstream, "the connection takes no more");
constexpr Error kFull = Error(Errc::limit, ErrorSource::upstream, "no stream is free");
constexpr Error kNoUpgrades =
    Error(Errc::invalid, ErrorSource::upstream, "the server takes no upgrades over HTTP/2");

}  // namespace

ClientConnection::ClientConnection(io::Loop& loop, std::unique_ptr<io::ByteStream> stream,
                                   ClientOptions options)
    : ClientConnection(loop, *stream, options, std::move(stream)) {}

ClientConnection::ClientConnection(io::Loop& loop, io::ByteStream& stream, ClientOptions options,
                                   std::unique_ptr<io::ByteStream> owned)
    : Connection(loop, stream, Role::client, options), owned_(std::move(owned)) {}

bool ClientConnection::can_open() const noexcept {
  if (ended_ || draining_ || goaway_came_) return false;
  const std::uint32_t theirs = peers_setting(NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
  return attached() < std::min(options_.streams_max, theirs);
}

coro::Task<Status> ClientConnection::settled(coro::CancelSource* cancel) {
  coro::WaitList::Place place(settings_waiters_);
  while (!settings_came_ && !ended_) {
    const Status woken = co_await place.event.wait(cancel);
    if (!woken) co_return std::unexpected(woken.error());
  }
  if (ended_) co_return std::unexpected(kClosed.retryable());
  co_return Status{};
}

bool ClientConnection::takes_upgrades() const noexcept {
  return peers_setting(NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL) == 1;
}

Result<std::unique_ptr<http::ClientStream>> ClientConnection::open(const http::RequestHead& head,
                                                                   http::End end) {
  if (!can_open()) {
    const bool closed = ended_ || draining_ || goaway_came_;
    return std::unexpected((closed ? kClosed : kFull).retryable());
  }
  if (!head.upgrade.empty() && !takes_upgrades()) return std::unexpected(kNoUpgrades);
  Stream& stream = new_stream();
  const Status sent = send_request(stream, head, end);
  if (!sent) {
    if (!stream.attached) recycle(stream);
    return std::unexpected(sent.error().from(ErrorSource::upstream));
  }
  return std::make_unique<ClientStream>(*this, stream);
}

}  // namespace aquifer::http2
