#include "common/http2/server_stream.h"

namespace aquifer::http2 {

ServerStream::ServerStream(ServerConnection& connection, Stream& stream) noexcept
    : StreamHandle(connection, stream), server_(connection) {}

Status ServerStream::inform(const http::ResponseHead& head) {
  return server_.send_inform(stream_, head);
}

Status ServerStream::respond(const http::ResponseHead& head, http::End end) {
  return server_.send_response(stream_, head, end);
}

}  // namespace aquifer::http2
