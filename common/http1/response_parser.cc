#include "common/http1/response_parser.h"

#include <llhttp.h>

namespace aquifer::http1 {
namespace {

// A head of an admin port is a few hundred bytes; chunk extensions and trailers count as well.
constexpr std::size_t kLineBytesMax = 16 * 1024;

}  // namespace

struct ResponseParser::Callbacks {
  static ResponseParser& self(llhttp_t* parser) noexcept {
    return *static_cast<ResponseParser*>(parser->data);
  }

  static int on_headers_complete(llhttp_t* parser) {
    // An interim response would be followed by another; nobody asked for one.
    const int status = llhttp_get_status_code(parser);
    if (status < 200) return HPE_USER;
    self(parser).status_ = status;
    return HPE_OK;
  }
  static int on_body(llhttp_t* parser, const char* at, std::size_t length) {
    self(parser).body_->append(at, length);
    return HPE_OK;
  }
  static int on_message_complete(llhttp_t* parser) {
    self(parser).complete_ = true;
    return HPE_PAUSED;
  }

  static const llhttp_settings_t& settings() {
    static const llhttp_settings_t kSettings = [] {
      llhttp_settings_t s;
      llhttp_settings_init(&s);
      s.on_headers_complete = on_headers_complete;
      s.on_body = on_body;
      s.on_message_complete = on_message_complete;
      return s;
    }();
    return kSettings;
  }
};

ResponseParser::ResponseParser() : parser_(std::make_unique<llhttp__internal_s>()) {
  llhttp_init(parser_.get(), HTTP_RESPONSE, &Callbacks::settings());
  parser_->data = this;
}

ResponseParser::~ResponseParser() = default;

Status ResponseParser::feed(ByteView bytes, std::string& body) {
  if (failed_) return fail(Errc::protocol, "reading a response: malformed");
  if (bytes.empty()) return {};
  if (complete_) return fail(Errc::protocol, "reading a response: bytes behind its end");
  const std::size_t body_before = body.size();
  body_ = &body;
  const char* begin = as_text(bytes).data();
  const llhttp_errno_t result = llhttp_execute(parser_.get(), begin, bytes.size());
  body_ = nullptr;
  const std::size_t body_bytes = body.size() - body_before;
  line_bytes_ = (body_bytes > 0 ? 0 : line_bytes_) + (bytes.size() - body_bytes);
  if (line_bytes_ > kLineBytesMax) {
    failed_ = true;
    return fail(Errc::limit, "reading a response: its head is too large");
  }
  if (complete_) {
    const bool all = llhttp_get_error_pos(parser_.get()) == begin + bytes.size();
    if (!all) return fail(Errc::protocol, "reading a response: bytes behind its end");
    return {};
  }
  return result_of(result);
}

Status ResponseParser::finish() {
  if (complete_) return {};
  std::string none;
  body_ = &none;
  const llhttp_errno_t result = llhttp_finish(parser_.get());
  body_ = nullptr;
  if (complete_) return {};
  if (result == HPE_OK || result == HPE_INVALID_EOF_STATE)
    return fail(Errc::end_of_stream, "reading a response: it ends in the middle");
  return result_of(result);
}

Status ResponseParser::result_of(int llhttp_error) {
  if (llhttp_error == HPE_OK) return {};
  failed_ = true;
  return fail(Errc::protocol, "reading a response: malformed, or no HTTP at all");
}

}  // namespace aquifer::http1
