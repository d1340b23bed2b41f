#include "common/http1/response_decoder.h"

#include "common/base/assert.h"

#include <llhttp.h>

#include <utility>

namespace aquifer::http1 {

// llhttp's callbacks: they record, and pause so that one call of next() gives one event.
struct ResponseDecoder::Callbacks {
  static ResponseDecoder& self(llhttp_t* parser) noexcept {
    return *static_cast<ResponseDecoder*>(parser->data);
  }

  static int on_message_begin(llhttp_t* parser) {
    self(parser).begin_message();
    return HPE_OK;
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
    if (length == 0) return HPE_OK;
    ResponseDecoder& p = self(parser);
    if (int refused = p.check_lines(at); refused != HPE_OK) return refused;
    p.guard_.skip_body();
    p.guarded_ = at + length;
    p.run_bytes_ = 0;
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

ResponseDecoder::ResponseDecoder(ResponseLimits limits)
    : limits_(limits), parser_(std::make_unique<llhttp__internal_s>()) {
  llhttp_init(parser_.get(), HTTP_RESPONSE, &Callbacks::settings());
  parser_->data = this;
}

ResponseDecoder::~ResponseDecoder() = default;

void ResponseDecoder::expect(std::string_view method) {
  head_request_ = method == "HEAD";
  connect_request_ = method == "CONNECT";
}

void ResponseDecoder::begin_message() {
  phase_ = Phase::head;
  head_.status = 0;
  head_.content_length.reset();
  head_.fields.clear();
  trailers_.clear();
  field_name_.clear();
  field_value_.clear();
  line_bytes_ = 0;
  until_close_ = false;
  switches_ = false;
}

int ResponseDecoder::refuse(const char* why) noexcept {
  refused_ = Error(Errc::protocol, ErrorSource::upstream, why);
  return HPE_USER;
}

int ResponseDecoder::count_line_bytes(std::size_t bytes) noexcept {
  line_bytes_ += bytes;
  if (line_bytes_ > limits_.head_bytes_max)
    return refuse("reading a response: its head is too large");
  return HPE_OK;
}

int ResponseDecoder::finish_field() {
  const std::string_view value = trim_blanks(field_value_);
  if (!is_token(field_name_)) return refuse("reading a response: a field's name is malformed");
  if (!is_field_value(value))
    return refuse("reading a response: a field's value has a control character");
  HeaderFields& fields = phase_ == Phase::head ? head_.fields : trailers_;
  if (fields.size() == limits_.fields_max)
    return refuse("reading a response: it has too many fields");
  if (phase_ == Phase::head || !http::is_decided_by_head(field_name_))
    fields.add(field_name_, value);
  field_name_.clear();
  field_value_.clear();
  return HPE_OK;
}

int ResponseDecoder::finish_head() {
  head_.status = llhttp_get_status_code(parser_.get());
  const int major = llhttp_get_http_major(parser_.get());
  const int minor = llhttp_get_http_minor(parser_.get());
  if (major != 1 || minor > 1) return refuse("reading a response: its version is not HTTP/1.x");
  if (head_.status < 100) return refuse("reading a response: a status below 100");
  head_.version = minor == 0 ? http::Version::http_1_0 : http::Version::http_1_1;
  if (int refused = check_framing(); refused != HPE_OK) return refused;

  const bool close = lists_token(head_.fields, "connection", "close");
  const bool keep = lists_token(head_.fields, "connection", "keep-alive");
  keep_alive_ = !close && !until_close_ && (keep || head_.version == http::Version::http_1_1);
  switches_ = head_.status == 101 || (connect_request_ && head_.status / 100 == 2);
  // llhttp would wait for the bytes that a 304 only speaks of.
  if (switches_ || head_request_ || http::has_no_body(head_.status, "GET"))
    parser_->flags |= F_SKIPBODY;

  phase_ = Phase::body;
  line_bytes_ = 0;
  event_ = Event::head;
  return HPE_PAUSED;
}

// RFC 9112 sections 6.1 and 6.3, without the repairs that they permit.
int ResponseDecoder::check_framing() {
  const std::size_t lengths = head_.fields.count("content-length");
  const std::size_t codings = head_.fields.count("transfer-encoding");
  if (lengths > 1) return refuse("reading a response: it has several Content-Length fields");
  if (codings > 1) return refuse("reading a response: it has several Transfer-Encoding fields");
  if (codings == 1 && lengths == 1)
    return refuse("reading a response: both Transfer-Encoding and Content-Length");
  if (lengths == 1) {
    head_.content_length = http::parse_content_length(*head_.fields.find("content-length"));
    if (!head_.content_length) return refuse("reading a response: malformed Content-Length");
  }
  if (codings == 1) {
    if (head_.version == http::Version::http_1_0)
      return refuse("reading a response: Transfer-Encoding in HTTP/1.0");
    if (!equal_without_case(*head_.fields.find("transfer-encoding"), "chunked"))
      return refuse("reading a response: a transfer coding other than chunked");
  }
  const bool bodyless = head_request_ || http::has_no_body(head_.status, "GET");
  until_close_ = !bodyless && lengths == 0 && codings == 0;
  return HPE_OK;
}

int ResponseDecoder::check_lines(const char* end) noexcept {
  AQUIFER_DEBUG_ASSERT(guarded_ <= end);
  const std::string_view lines(guarded_, static_cast<std::size_t>(end - guarded_));
  guarded_ = end;
  if (!guard_.accept(lines)) return refuse("reading a response: a line does not end in CR LF");
  run_bytes_ += lines.size();
  if (run_bytes_ > limits_.head_bytes_max)
    return refuse("reading a response: its head is too large");
  return HPE_OK;
}

Result<Step> ResponseDecoder::next(ByteView input) {
  if (refused_) return std::unexpected(*refused_);
  AQUIFER_ASSERT(phase_ != Phase::upgraded);
  const char* begin = input.empty() ? "" : as_text(input).data();
  guarded_ = begin;
  event_ = Event::need_more;
  body_ = {};
  const llhttp_errno_t result = llhttp_execute(parser_.get(), begin, input.size());

  const char* stopped_at = begin + input.size();
  if (result == HPE_PAUSED || result == HPE_PAUSED_UPGRADE)
    stopped_at = llhttp_get_error_pos(parser_.get());
  if (result == HPE_PAUSED) llhttp_resume(parser_.get());
  if (result == HPE_PAUSED_UPGRADE) event_ = Event::end;
  if (refused_) return std::unexpected(*refused_);
  const bool well = result == HPE_OK || result == HPE_PAUSED || result == HPE_PAUSED_UPGRADE;
  if (!well) {
    refused_ = Error(Errc::protocol, ErrorSource::upstream,
                     "reading a response: malformed, or no HTTP at all");
    return std::unexpected(*refused_);
  }
  if (check_lines(stopped_at) != HPE_OK) return std::unexpected(*refused_);
  if (event_ == Event::head) run_bytes_ = 0;
  if (event_ == Event::end) {
    phase_ = switches_ ? Phase::upgraded : Phase::between;
    run_bytes_ = 0;
  }
  return Step{
      .event = event_, .consumed = static_cast<std::size_t>(stopped_at - begin), .body = body_};
}

Result<bool> ResponseDecoder::finish() {
  if (refused_) return std::unexpected(*refused_);
  if (phase_ == Phase::body && until_close_) {
    phase_ = Phase::between;
    return true;
  }
  return std::unexpected(Error(Errc::end_of_stream, ErrorSource::upstream,
                               "reading a response: it ends in the middle"));
}

}  // namespace aquifer::http1
