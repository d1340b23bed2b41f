#include "common/hbone/tunnel_stream.h"

#include "common/hbone/tunnel.h"

#include <algorithm>
#include <utility>

namespace aquifer::hbone {
namespace {

// What a copy may read at once for this stream: one large receive, which is then one frame and 8
// full records. Beside small messages it is half of that.
constexpr std::size_t kAllowance = 8 * 16384 - kFrameHeaderBytes;
constexpr std::size_t kAllowanceBesideLittle = 4 * 16384 - kFrameHeaderBytes;

}  // namespace

TunnelStream::TunnelStream(Tunnel& tunnel, Stream* stream) noexcept
    : tunnel_(tunnel), stream_(stream) {
  ++tunnel_.streams_;
}

TunnelStream::~TunnelStream() {
  if (waits_for_room_) tunnel_.forget_waiter(*this);
  if (stream_ != nullptr) {
    tunnel_.account_.queued_bytes -= inbox_.size();
    stream_->user = nullptr;
    tunnel_.session_.release(*stream_);
    tunnel_.request_flush();
  }
  tunnel_.stream_gone();
}

Status TunnelStream::accept(const ConnectResponse& response) {
  TRY_VOID(tunnel_.session_.respond(*stream_, response));
  tunnel_.request_flush();
  return {};
}

void TunnelStream::refuse(int status) {
  // A stream that is over already needs no answer.
  std::ignore = tunnel_.session_.refuse(*stream_, status);
  tunnel_.request_flush();
}

bool TunnelStream::has_room() const noexcept {
  return tunnel_.has_room();
}

std::size_t TunnelStream::allowance() const noexcept {
  const bool beside_little = tunnel_.loop_.courtesy().is_due(tunnel_.loop_.now());
  return beside_little ? kAllowanceBesideLittle : kAllowance;
}

Result<std::size_t> TunnelStream::poll_writable(coro::Wakeup& wakeup) {
  for (;;) {
    if (failed_) return std::unexpected(*failed_);
    // Who writes little does not wait for a turn behind bulk.
    const bool bulk = sizes_.is_bulk();
    const std::size_t window = bulk ? tunnel_.session_.send_window_of_bulk(*stream_)
                                    : tunnel_.session_.send_window(*stream_);
    const bool room = tunnel_.has_room();
    if (window > 0 && (room || (!bulk && tunnel_.has_room_for_little()))) {
      if (unsent_.empty()) return std::min(window, room ? allowance() : io::WriteSizes::kLittle);
      TRY_VOID(tunnel_.send_data(*stream_, unsent_.take(window)));
      continue;
    }
    if (window > 0 && !waits_for_room_) {
      waits_for_room_ = true;
      tunnel_.wait_for_room(*this);
    }
    if (writable_.listen(wakeup)) return 0;
  }
}

Status TunnelStream::write(io::Buffer bytes) {
  if (failed_) return std::unexpected(*failed_);
  if (sizes_.note(bytes.size())) tunnel_.loop_.courtesy().saw_little(tunnel_.loop_.now());
  // Between writable() and here other streams may have used the connection's window up: what does
  // not fit any more is kept, and the next writable() waits for it. One chunk at the most.
  const std::size_t window = unsent_.empty() ? tunnel_.session_.send_window(*stream_) : 0;
  if (bytes.size() <= window) return tunnel_.send_data(*stream_, std::move(bytes));
  unsent_.append(io::Buffer::copy_of(bytes.view()));
  if (window == 0) return {};
  return tunnel_.send_data(*stream_, unsent_.take(window));
}

Result<std::optional<io::Buffer>> TunnelStream::poll_read(std::size_t bytes_max,
                                                          coro::Wakeup& wakeup) {
  for (;;) {
    if (!inbox_.empty()) {
      io::Buffer piece = inbox_.take(bytes_max);
      tunnel_.took_from_inbox(*stream_, piece.size());
      return piece;
    }
    if (failed_) return std::unexpected(*failed_);
    if (stream_->remote_ended()) return io::Buffer();
    if (readable_.listen(wakeup)) return std::nullopt;
  }
}

Status TunnelStream::shutdown_write() {
  if (failed_) return std::unexpected(*failed_);
  AQUIFER_ASSERT(unsent_.empty());
  tunnel_.session_.end(*stream_);
  tunnel_.request_flush();
  return {};
}

void TunnelStream::abort() noexcept {
  if (failed_) return;
  // RFC 9113 section 8.5: an error of the TCP connection behind a CONNECT is a stream error of this
  // type.
  tunnel_.session_.reset(*stream_, ErrorCode::connect_error);
  tunnel_.request_flush();
  fail(Error(Errc::closed, ErrorSource::internal, "aborted"));
}

std::optional<Error> TunnelStream::poll_failure(coro::Wakeup& wakeup) {
  while (!failed_) {
    if (readable_.listen(wakeup)) return std::nullopt;
  }
  return failed_;
}

void TunnelStream::fail(Error error) noexcept {
  if (!failed_) failed_ = error;
  readable_.notify();
  writable_.notify();
}

}  // namespace aquifer::hbone
