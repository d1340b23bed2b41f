#include "common/hbone/early_data.h"

#include "common/hbone/tunnel_stream.h"

#include <array>
#include <tuple>
#include <utility>

namespace aquifer::hbone {

void EarlyData::begin(TunnelStream& stream) {
  stream_ = &stream;
  if (!kept_.empty()) {
    send(kept_);
    return;
  }
  // A read that was asked for may have ended meanwhile: its bytes come first.
  if (asked_ || !stream.has_room()) return;
  // Tried at once, before the HEADERS are on their way: a client that speaks first has nearly
  // always spoken by now, and then both go in one record.
  std::array<std::uint8_t, kBytesMax> room;
  const std::size_t got = client_.read_now(room);
  if (got == 0) return;
  kept_.assign(room.begin(), room.begin() + static_cast<std::ptrdiff_t>(got));
  send(kept_);
}

void EarlyData::pass_on() {
  while (stream_ != nullptr && !waits_ && !over_ && kept_.size() < kBytesMax &&
         stream_->has_room()) {
    asked_ = true;
    waits_ = true;  // before the call, which may wake it
    auto chunk = client_.poll_read(kBytesMax - kept_.size(), *this);
    if (chunk && !chunk->has_value()) return;
    waits_ = false;
    over_ = !chunk || (*chunk)->empty();
    if (over_) return;
    const ByteView bytes = (*chunk)->view();
    kept_.insert(kept_.end(), bytes.begin(), bytes.end());
    send(bytes);
  }
}

void EarlyData::send(ByteView bytes) {
  // A stream that has failed says so to whoever waits for its answer.
  std::ignore = stream_->write(io::Buffer::copy_of(bytes));
}

coro::Task<void> EarlyData::give_up() {
  stream_ = nullptr;
  if (waits_) client_.end_read_wait();
  // Reads that ended while nobody had a stream have notified, too.
  while (waits_) {
    const Status stopped = co_await stopped_.wait();
    AQUIFER_ASSERT(stopped.has_value());
  }
}

void EarlyData::on_wake(coro::Wakeup& wakeup) noexcept {
  auto& self = static_cast<EarlyData&>(wakeup);
  self.waits_ = false;
  if (self.stream_ != nullptr) {
    self.stream_->wake_reader();
  } else {
    self.stopped_.notify();
  }
}

}  // namespace aquifer::hbone
