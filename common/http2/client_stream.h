// The client's handle of a stream. Internal to common/http2.
#pragma once

#include "common/http/stream.h"
#include "common/http2/client_connection.h"
#include "common/http2/stream_handle.h"

namespace aquifer::http2 {

class ClientStream final : public StreamHandle<http::ClientStream> {
 public:
  ClientStream(ClientConnection& connection, Stream& stream) noexcept;

  [[nodiscard]] coro::Task<Result<http::ResponseHead>> response(
      coro::CancelSource* cancel) override;
};

}  // namespace aquifer::http2
