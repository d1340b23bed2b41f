// One request of an HTTP/1.1 connection and the way back. Made by ServerConnection, which outlives
// it.
#pragma once

#include "common/http/stream.h"
#include "common/http1/body_writer.h"
#include "common/http1/server_connection.h"

namespace aquifer::http1 {

class ServerStream final : public http::ServerStream {
 public:
  ServerStream(ServerConnection& connection, http::RequestHead head)
      : connection_(connection), head_(std::move(head)), writer_(connection.stream_) {}
  ~ServerStream() override;

  [[nodiscard]] http::RequestHead& request() noexcept override { return head_; }
  [[nodiscard]] coro::Task<Result<io::Buffer>> read(coro::CancelSource* cancel) override;
  [[nodiscard]] bool ended() const noexcept override { return connection_.request_ended_; }
  [[nodiscard]] const HeaderFields& trailers() const noexcept override;

  [[nodiscard]] Status inform(const http::ResponseHead& head) override;
  [[nodiscard]] Status respond(const http::ResponseHead& head, http::End end) override;
  [[nodiscard]] coro::Task<Result<std::size_t>> writable(coro::CancelSource* cancel) override;
  [[nodiscard]] Status write(io::Buffer bytes) override;
  [[nodiscard]] Status finish(const HeaderFields& trailers) override;
  void abort(http::Abort why) noexcept override;
  /// Only once the request's body has ended.
  [[nodiscard]] coro::Task<Error> failure(coro::CancelSource* cancel) override;

 private:
  [[nodiscard]] coro::Task<Result<io::Buffer>> read_raw(coro::CancelSource* cancel);
  [[nodiscard]] Status say_continue();

  ServerConnection& connection_;
  http::RequestHead head_;
  BodyWriter writer_;
  bool responded_ = false;
  bool switched_ = false;  // bytes of another protocol both ways
  bool aborted_ = false;
};

}  // namespace aquifer::http1
