#include "common/http1/request_parser.h"

#include "common/base/assert.h"

#include <llhttp.h>

#include <utility>

namespace aquifer::http1 {

// llhttp's callbacks: they record, and pause so that one call of next() gives one event.
struct RequestParser::Callbacks {
  static RequestParser& self(llhttp_t* parser) noexcept {
    return *static_cast<RequestParser*>(parser->data);
  }

  static int on_message_begin(llhttp_t* parser) {
    self(parser).begin_message();
    return HPE_OK;
  }
  static int on_url(llhttp_t* parser, const char* at, std::size_t length) {
    RequestParser& p = self(parser);
    if (p.head_.target.size() + length > p.limits_.request_target_bytes_max) {
      return p.refuse(414, "reading a request: its target is too long");
    }
    p.head_.target.append(at, length);
    return p.count_line_bytes(length);
  }
  static int on_header_field(llhttp_t* parser, const char* at, std::size_t length) {
    self(parser).field_name_.append(at, length);
    return self(parser).count_line_bytes(length);
  }
  static int on_header_value(llhttp_t* parser, const char* at, std::size_t length) {
    self(parser).field_value_.append(at, length);
    return self(parser).count_line_bytes(length);
  }
  static int on_header_value_complete(llhttp_t* parser) { return self(parser).finish_field(); }
  static int on_headers_complete(llhttp_t* parser) { return self(parser).finish_head(); }
  static int on_body(llhttp_t* parser, const char* at, std::size_t length) {
    // A body that goes on past the input is told with no bytes when there is no more input.
    if (length == 0) return HPE_OK;
    RequestParser& p = self(parser);
    if (int refused = p.check_lines(at); refused != HPE_OK) return refused;
    p.guard_.skip_body();
    p.guarded_ = at + length;
    p.run_bytes_ = 0;
    p.body_bytes_ += length;
    if (p.body_bytes_ > p.limits_.body_bytes_max)
      return p.refuse(413, "reading a request: its body is too large");
    p.event_ = Event::body;
    p.body_ = as_bytes({at, length});
    return HPE_PAUSED;
  }
  static int on_message_complete(llhttp_t* parser) {
    self(parser).event_ = Event::end;
    return HPE_PAUSED;
  }

  static const llhttp_settings_t& settings() {
    static const llhttp_settings_t kSettings = [] {
      llhttp_settings_t s;
      llhttp_settings_init(&s);
      s.on_message_begin = on_message_begin;
      s.on_url = on_url;
      s.on_header_field = on_header_field;
      s.on_header_value = on_header_value;
      s.on_header_value_complete = on_header_value_complete;
      s.on_headers_complete = on_headers_complete;
      s.on_body = on_body;
      s.on_message_complete = on_message_complete;
      return s;
    }();
    return kSettings;
  }
};

RequestParser::RequestParser(Limits limits)
    : limits_(limits), parser_(std::make_unique<llhttp__internal_s>()) {
  llhttp_init(parser_.get(), HTTP_REQUEST, &Callbacks::settings());
  parser_->data = this;
}

RequestParser::~RequestParser() = default;

void RequestParser::begin_message() {
  phase_ = Phase::head;
  head_ = RequestHead();
  trailers_ = Fields();
  field_name_.clear();
  field_value_.clear();
  line_bytes_ = 0;
  body_bytes_ = 0;
}

int RequestParser::refuse(int status, const char* why) noexcept {
  Errc code = status == 413 || status == 414 || status == 431 ? Errc::limit : Errc::protocol;
  refused_ = Error(code, ErrorSource::downstream, why).with_detail(status);
  return HPE_USER;
}

int RequestParser::count_line_bytes(std::size_t bytes) noexcept {
  line_bytes_ += bytes;
  if (line_bytes_ > limits_.head_bytes_max)
    return refuse(431, "reading a request: its head is too large");
  return HPE_OK;
}

int RequestParser::finish_field() {
  const std::string_view value = trim_blanks(field_value_);
  if (!is_token(field_name_)) return refuse(400, "reading a request: a field's name is malformed");
  if (!is_field_value(value))
    return refuse(400, "reading a request: a field's value has a control character");
  Fields& fields = phase_ == Phase::head ? head_.fields : trailers_;
  if (fields.size() == limits_.fields_max)
    return refuse(431, "reading a request: it has too many fields");
  // RFC 9110 section 6.5.1: who merges trailers into the head would see another message.
  if (phase_ != Phase::head && http::is_decided_by_head(field_name_))
    return refuse(400, "reading a request: a trailer speaks of its framing or its addressee");
  fields.add(field_name_, value);
  field_name_.clear();
  field_value_.clear();
  return HPE_OK;
}

int RequestParser::finish_head() {
  head_.method = llhttp_method_name(static_cast<llhttp_method_t>(llhttp_get_method(parser_.get())));
  int major = llhttp_get_http_major(parser_.get());
  int minor = llhttp_get_http_minor(parser_.get());
  if (major != 1 || minor > 1)
    return refuse(505, "reading a request: its version is not HTTP/1.0 or HTTP/1.1");
  head_.version = minor == 0 ? Version::http_1_0 : Version::http_1_1;

  // RFC 9112 section 3.2
  std::size_t hosts = head_.fields.count("host");
  if (hosts > 1) return refuse(400, "reading a request: it has several Host fields");
  if (hosts == 0 && head_.version == Version::http_1_1)
    return refuse(400, "reading a request: it has no Host field");
  if (int refused = check_framing(head_.fields.count("content-length")); refused != HPE_OK)
    return refused;

  head_.upgrade = llhttp_get_upgrade(parser_.get()) != 0;
  head_.expects_continue = lists_token(head_.fields, "expect", "100-continue");
  bool close = lists_token(head_.fields, "connection", "close");
  bool keep = lists_token(head_.fields, "connection", "keep-alive");
  head_.keep_alive = !close && (keep || head_.version == Version::http_1_1);

  phase_ = Phase::body;
  line_bytes_ = 0;
  event_ = Event::head;
  return HPE_PAUSED;
}

// RFC 9112 section 6.1 and 6.3. It permits to repair some of these; a proxy that passes the message
// on must not, because the next reader may repair it otherwise.
int RequestParser::check_framing(std::size_t content_lengths) noexcept {
  std::size_t codings = head_.fields.count("transfer-encoding");
  if (content_lengths > 1)
    return refuse(400, "reading a request: it has several Content-Length fields");
  if (codings == 0) {
    if (content_lengths == 0) return HPE_OK;
    head_.framing = BodyFraming::length;
    head_.content_length = parser_->content_length;
    if (head_.content_length > limits_.body_bytes_max)
      return refuse(413, "reading a request: its body is too large");
    return HPE_OK;
  }
  if (content_lengths > 0)
    return refuse(400, "reading a request: both Transfer-Encoding and Content-Length");
  if (head_.version == Version::http_1_0)
    return refuse(400, "reading a request: Transfer-Encoding in HTTP/1.0");
  if (codings > 1) return refuse(400, "reading a request: it has several Transfer-Encoding fields");
  if (!equal_without_case(*head_.fields.find("transfer-encoding"), "chunked")) {
    return refuse(501, "reading a request: a transfer coding other than chunked");
  }
  head_.framing = BodyFraming::chunked;
  return HPE_OK;
}

int RequestParser::check_lines(const char* end) noexcept {
  AQUIFER_DEBUG_ASSERT(guarded_ <= end);
  std::string_view lines(guarded_, static_cast<std::size_t>(end - guarded_));
  guarded_ = end;
  if (!guard_.accept(lines)) return refuse(400, "reading a request: a line does not end in CR LF");
  // Lines that store nothing count as well: chunk extensions, blank lines in front of a request.
  run_bytes_ += lines.size();
  if (run_bytes_ > limits_.head_bytes_max)
    return refuse(431, "reading a request: its head is too large");
  return HPE_OK;
}

Error RequestParser::error_of(int llhttp_error) const noexcept {
  auto error = [](int status, const char* why) {
    return Error(Errc::protocol, ErrorSource::downstream, why).with_detail(status);
  };
  switch (llhttp_error) {
    case HPE_INVALID_METHOD:
      return error(400, "reading a request: unknown method, or no HTTP at all");
    case HPE_INVALID_URL: return error(400, "reading a request: malformed target");
    case HPE_INVALID_VERSION:
    case HPE_PAUSED_H2_UPGRADE:
      return error(505, "reading a request: its version is not HTTP/1.0 or HTTP/1.1");
    case HPE_INVALID_CONTENT_LENGTH:
    case HPE_UNEXPECTED_CONTENT_LENGTH:
      return error(400, "reading a request: malformed or misplaced Content-Length");
    case HPE_INVALID_TRANSFER_ENCODING:
      return error(400, "reading a request: malformed Transfer-Encoding");
    case HPE_INVALID_CHUNK_SIZE: return error(400, "reading a request: malformed chunk size");
    case HPE_CLOSED_CONNECTION:
      return error(400, "reading a request: bytes after the last request");
    default: return error(400, "reading a request: malformed");
  }
}

Result<Step> RequestParser::next(ByteView input) {
  if (refused_) return fail(*refused_);
  if (phase_ == Phase::upgraded)
    return fail(Errc::invalid, "reading a request: the connection was upgraded");

  // An empty span may have no address, which llhttp would do arithmetic on.
  const char* begin = input.empty() ? "" : as_text(input).data();
  guarded_ = begin;
  event_ = Event::need_more;
  body_ = {};
  llhttp_errno_t result = llhttp_execute(parser_.get(), begin, input.size());

  const char* stopped_at = begin + input.size();
  if (result == HPE_PAUSED || result == HPE_PAUSED_UPGRADE)
    stopped_at = llhttp_get_error_pos(parser_.get());
  if (result == HPE_PAUSED) llhttp_resume(parser_.get());
  if (result == HPE_PAUSED_UPGRADE) event_ = Event::end;
  if (refused_) return fail(*refused_);
  bool stopped_well = result == HPE_OK || result == HPE_PAUSED || result == HPE_PAUSED_UPGRADE;
  if (!stopped_well) {
    refused_ = error_of(result);
    return fail(*refused_);
  }

  if (check_lines(stopped_at) != HPE_OK) return fail(*refused_);

  if (event_ == Event::head) run_bytes_ = 0;
  if (event_ == Event::end) {
    phase_ = result == HPE_PAUSED_UPGRADE || head_.upgrade ? Phase::upgraded : Phase::between;
    run_bytes_ = 0;
  }
  return Step{
      .event = event_, .consumed = static_cast<std::size_t>(stopped_at - begin), .body = body_};
}

}  // namespace aquifer::http1
