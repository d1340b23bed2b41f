#include "common/http2/errors.h"

#include <nghttp2/nghttp2.h>

namespace aquifer::http2 {

std::uint32_t code_of(http::Abort why) noexcept {
  switch (why) {
    case http::Abort::cancelled: return NGHTTP2_CANCEL;
    case http::Abort::refused: return NGHTTP2_REFUSED_STREAM;
    case http::Abort::internal_error: return NGHTTP2_INTERNAL_ERROR;
    case http::Abort::connect_error: return NGHTTP2_CONNECT_ERROR;
    case http::Abort::protocol_error: return NGHTTP2_PROTOCOL_ERROR;
    case http::Abort::enhance_your_calm: return NGHTTP2_ENHANCE_YOUR_CALM;
  }
  return NGHTTP2_INTERNAL_ERROR;
}

Error error_of(std::uint32_t code, ErrorSource source) noexcept {
  switch (code) {
    case NGHTTP2_NO_ERROR: return {Errc::closed, source, "the peer wants no more of the stream"};
    case NGHTTP2_REFUSED_STREAM:
      return Error(Errc::connection_reset, source, "the peer refused the stream").retryable();
    case NGHTTP2_CANCEL: return {Errc::connection_reset, source, "the peer cancelled the stream"};
    case NGHTTP2_CONNECT_ERROR:
      return {Errc::connection_reset, source, "the connection behind the stream failed"};
    case NGHTTP2_ENHANCE_YOUR_CALM:
      return {Errc::limit, source, "the stream was ended for its load"};
    case NGHTTP2_INTERNAL_ERROR:
      return {Errc::connection_reset, source, "the peer failed within the stream"};
    case NGHTTP2_HTTP_1_1_REQUIRED:
      return {Errc::connection_reset, source, "the peer wants HTTP/1.1"};
    default: return {Errc::protocol, source, "the stream ended for a broken rule of HTTP/2"};
  }
}

}  // namespace aquifer::http2
