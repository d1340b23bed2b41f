// The server's handle of a stream. Internal to common/http2.
#pragma once

#include "common/http/stream.h"
#include "common/http2/server_connection.h"
#include "common/http2/stream_handle.h"

namespace aquifer::http2 {

class ServerStream final : public StreamHandle<http::ServerStream> {
 public:
  ServerStream(ServerConnection& connection, Stream& stream) noexcept;

  [[nodiscard]] http::RequestHead& request() noexcept override { return stream_.request; }
  [[nodiscard]] Status inform(const http::ResponseHead& head) override;
  [[nodiscard]] Status respond(const http::ResponseHead& head, http::End end) override;
  [[nodiscard]] coro::Task<Error> failure(coro::CancelSource* cancel) override {
    return failure_of_stream(cancel);
  }

 private:
  ServerConnection& server_;
};

}  // namespace aquifer::http2
