// MemoryStream: a byte stream whose other end is another one, without a kernel in between. What one
// end writes the other reads, at most `capacity` at a time.
#pragma once

#include "common/coro/event.h"
#include "common/io/byte_stream.h"
#include "common/io/chunk_queue.h"

#include <cstddef>
#include <cstring>
#include <memory>
#include <optional>
#include <utility>

namespace aquifer::http2::testing {

class MemoryStream final : public io::ByteStream {
 public:
  /// Two ends of one connection; each may be destroyed first.
  static std::pair<std::unique_ptr<MemoryStream>, std::unique_ptr<MemoryStream>> pair(
      std::size_t capacity = 64 * 1024) {
    auto near = std::make_unique<MemoryStream>(capacity);
    auto far = std::make_unique<MemoryStream>(capacity);
    near->other_ = far.get();
    far->other_ = near.get();
    return {std::move(near), std::move(far)};
  }

  explicit MemoryStream(std::size_t capacity) : capacity_(capacity) {}
  ~MemoryStream() override {
    if (other_ == nullptr) return;
    other_->other_ = nullptr;
    other_->broken_ = other_->broken_ || !end_sent_;
    other_->wake();
  }

  Result<std::size_t> poll_writable(coro::Wakeup& wakeup) override {
    for (;;) {
      if (other_ == nullptr || aborted_) return fail(Errc::connection_reset, "memory stream");
      if (other_->inbox_.size() < capacity_) return capacity_ - other_->inbox_.size();
      if (writable_.listen(wakeup)) return 0;
    }
  }
  Status write(io::Buffer bytes) override {
    if (other_ == nullptr || aborted_) return fail(Errc::connection_reset, "memory stream");
    ++writes_;
    written_ += bytes.size();
    other_->inbox_.append(io::Buffer::copy_of(bytes.view()));
    other_->readable_.notify();
    return {};
  }
  Result<std::optional<io::Buffer>> poll_read(std::size_t bytes_max,
                                              coro::Wakeup& wakeup) override {
    for (;;) {
      if (!paused_ && !inbox_.empty()) {
        io::Buffer piece = inbox_.take(bytes_max);
        if (other_ != nullptr) other_->writable_.notify();
        return piece;
      }
      if (broken_ || aborted_) return fail(Errc::connection_reset, "memory stream");
      if (inbox_.empty() && (end_came_ || other_ == nullptr)) return io::Buffer();
      if (readable_.listen(wakeup)) return std::nullopt;
    }
  }
  std::optional<Error> poll_failure(coro::Wakeup& wakeup) override {
    for (;;) {
      if (broken_ || aborted_) return Error(Errc::connection_reset, "memory stream");
      if (readable_.listen(wakeup)) return std::nullopt;
    }
  }
  void end_write_wait() noexcept override { writable_.end_wait(); }
  void end_read_wait() noexcept override { readable_.end_wait(); }
  Status shutdown_write() override {
    end_sent_ = true;
    if (other_ == nullptr) return {};
    other_->end_came_ = true;
    other_->wake();
    return {};
  }
  void abort() noexcept override {
    aborted_ = true;
    wake();
    if (other_ == nullptr) return;
    other_->broken_ = true;
    other_->wake();
  }
  [[nodiscard]] bool is_quiet() noexcept override {
    return inbox_.empty() && !end_came_ && !broken_ && other_ != nullptr;
  }

  /// While paused, nothing that came is given out.
  void pause() noexcept { paused_ = true; }
  void go_on() noexcept {
    paused_ = false;
    wake();
  }
  /// All that came so far, without waiting.
  [[nodiscard]] io::Buffer take_all() {
    io::ChunkQueue all = std::move(inbox_);
    if (other_ != nullptr) other_->writable_.notify();
    io::Buffer whole = io::Buffer::allocate(all.size());
    while (!all.empty()) {
      const ByteView front = all.front();
      std::memcpy(whole.tail().data(), front.data(), front.size());
      whole.grow(front.size());
      all.consume(front.size());
    }
    return whole;
  }
  [[nodiscard]] std::size_t writes() const noexcept { return writes_; }
  [[nodiscard]] std::size_t written() const noexcept { return written_; }
  [[nodiscard]] bool ended() const noexcept { return end_came_; }

 private:
  void wake() noexcept {
    readable_.notify();
    writable_.notify();
  }

  MemoryStream* other_ = nullptr;
  std::size_t capacity_;
  io::ChunkQueue inbox_;
  coro::Event readable_;
  coro::Event writable_;
  std::size_t writes_ = 0;
  std::size_t written_ = 0;
  bool end_came_ = false;
  bool end_sent_ = false;
  bool broken_ = false;
  bool aborted_ = false;
  bool paused_ = false;
};

}  // namespace aquifer::http2::testing
