// StreamHandle: what is the same in the handles that both roles give out: the two bodies, and an
// end with the handle. Internal to common/http2.
#pragma once

#include "common/coro/frame_pool.h"
#include "common/http2/connection.h"

#include <utility>

namespace aquifer::http2 {

/// `Seam` is http::ServerStream or http::ClientStream.
template <typename Seam>
class StreamHandle : public Seam {
 public:
  ~StreamHandle() override { connection_.release(stream_); }

  [[nodiscard]] coro::Task<Result<io::Buffer>> read(coro::CancelSource* cancel) override {
    return connection_.read(stream_, cancel);
  }
  [[nodiscard]] bool ended() const noexcept override {
    return stream_.remote_ended && stream_.inbox.empty();
  }
  [[nodiscard]] const HeaderFields& trailers() const noexcept override { return stream_.trailers; }

  [[nodiscard]] coro::Task<Result<std::size_t>> writable(coro::CancelSource* cancel) override {
    return connection_.writable(stream_, cancel);
  }
  [[nodiscard]] Status write(io::Buffer bytes) override {
    return connection_.write(stream_, std::move(bytes));
  }
  [[nodiscard]] Status finish(const HeaderFields& trailers) override {
    return connection_.finish(stream_, trailers);
  }
  void abort(http::Abort why) noexcept override { connection_.abort(stream_, why); }

  // One for each request, of a size that coroutines have: the same free lists.
  static void* operator new(std::size_t bytes) { return coro::frame_allocate(bytes); }
  static void operator delete(void* block, std::size_t bytes) noexcept {
    coro::frame_free(block, bytes);
  }

 protected:
  StreamHandle(Connection& connection, Stream& stream) noexcept
      : connection_(connection), stream_(stream) {
    connection_.hold(stream_);
  }
  [[nodiscard]] coro::Task<Error> failure_of_stream(coro::CancelSource* cancel) {
    return connection_.failure(stream_, cancel);
  }

  Connection& connection_;
  Stream& stream_;
};

}  // namespace aquifer::http2
