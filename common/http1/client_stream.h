// One request of ours on an HTTP/1.1 connection. Made by ClientConnection, which outlives it.
#pragma once

#include "common/http/stream.h"
#include "common/http1/body_writer.h"
#include "common/http1/client_connection.h"

namespace aquifer::http1 {

class ClientStream final : public http::ClientStream {
 public:
  ClientStream(ClientConnection& connection, BodyWriter::Framing framing, std::uint64_t length)
      : connection_(connection), writer_(*connection.stream_) {
    writer_.begin(framing, length);
  }
  ~ClientStream() override;

  [[nodiscard]] coro::Task<Result<http::ResponseHead>> response(
      coro::CancelSource* cancel) override;
  [[nodiscard]] coro::Task<Result<io::Buffer>> read(coro::CancelSource* cancel) override;
  [[nodiscard]] bool ended() const noexcept override { return connection_.answer_ended_; }
  [[nodiscard]] const HeaderFields& trailers() const noexcept override {
    return connection_.decoder_.trailers();
  }

  [[nodiscard]] coro::Task<Result<std::size_t>> writable(coro::CancelSource* cancel) override;
  [[nodiscard]] Status write(io::Buffer bytes) override;
  [[nodiscard]] Status finish(const HeaderFields& trailers) override;
  void abort(http::Abort why) noexcept override;

 private:
  [[nodiscard]] Result<http::ResponseHead> take_head();

  ClientConnection& connection_;
  BodyWriter writer_;
  bool switched_ = false;
};

}  // namespace aquifer::http1
