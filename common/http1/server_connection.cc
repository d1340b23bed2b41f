#include "common/http1/server_connection.h"

#include "common/base/assert.h"
#include "common/http1/message.h"
#include "common/http1/server_stream.h"

#include <algorithm>
#include <string>
#include <utility>

namespace aquifer::http1 {
namespace {

// One receive: what does not fit is body, which comes in pieces anyway.
constexpr std::size_t kReadBytes = 64 * 1024;

// RFC 9112 section 3.2: origin, absolute, authority and asterisk form.
Status take_target(RequestHead& head, http::RequestHead& out) {
  constexpr Error kBad =
      Error(Errc::protocol, ErrorSource::downstream, "reading a request: malformed target")
          .with_detail(400);
  std::string_view target = head.target;
  out.authority = head.fields.find("host").value_or("");
  if (head.method == "CONNECT") {
    out.authority = target;
    return {};
  }
  if (target.starts_with('/') || (target == "*" && head.method == "OPTIONS")) {
    out.path = std::move(head.target);
    return {};
  }
  const std::size_t colon = target.find("://");
  if (colon == std::string_view::npos) return std::unexpected(kBad);
  out.scheme = target.substr(0, colon);
  if (out.scheme != "http" && out.scheme != "https") return std::unexpected(kBad);
  target.remove_prefix(colon + 3);
  const std::size_t end = std::min(target.find_first_of("/?"), target.size());
  if (end == 0) return std::unexpected(kBad);
  // The absolute form replaces Host (RFC 9112 section 3.2.2).
  out.authority = target.substr(0, end);
  out.path = target.substr(end);
  if (!out.path.starts_with('/')) out.path.insert(0, "/");
  return {};
}

// What Host may be: a reader that stops at another character would see another host.
bool is_authority(std::string_view text) noexcept {
  constexpr std::string_view kNever = " \t/\\?#@<>\"{}|^`,";
  return text.find_first_of(kNever) == std::string_view::npos;
}

}  // namespace

ServerConnection::ServerConnection(io::Loop& loop, io::ByteStream& stream, io::Buffer first,
                                   ServerOptions options)
    : loop_(loop),
      stream_(stream),
      options_(options),
      parser_(options.request),
      input_(std::move(first)) {}

ServerConnection::~ServerConnection() = default;

coro::Task<Result<Step>> ServerConnection::step(Deadline deadline, coro::CancelSource* cancel) {
  for (;;) {
    if (!input_.empty()) {
      const auto parsed = parser_.next(input_.view());
      if (!parsed) {
        broken_ = true;
        keep_alive_ = false;
        co_return std::unexpected(parsed.error());
      }
      if (parsed->event == Event::body) co_return *parsed;  // taken by take_body()
      input_.consume(parsed->consumed);
      if (input_.empty()) input_.release();
      if (parsed->event != Event::need_more) co_return *parsed;
      continue;
    }
    // The end of a message needs no further byte to be seen.
    if (!parser_.between_messages()) {
      const auto ended = parser_.next({});
      if (ended && ended->event != Event::need_more) co_return *ended;
    }
    auto more = co_await io::read_before(loop_, stream_, kReadBytes, deadline, cancel);
    if (!more) {
      broken_ = true;
      keep_alive_ = false;
      Error error = more.error().from(ErrorSource::downstream);
      // RFC 9110 section 15.5.9: something of a request had come.
      if (error.code == Errc::timed_out && !parser_.between_messages())
        error = error.with_detail(408);
      co_return std::unexpected(error);
    }
    if (more->empty()) {
      broken_ = true;
      keep_alive_ = false;
      co_return std::unexpected(
          Error(Errc::end_of_stream, ErrorSource::downstream, "reading a request"));
    }
    input_ = std::move(*more);
  }
}

io::Buffer ServerConnection::take_body(const Step& step) {
  const std::size_t before = static_cast<std::size_t>(step.body.data() - input_.data());
  if (before + step.body.size() == input_.size()) {
    // All that is left: moved on without a copy.
    input_.consume(before);
    return std::exchange(input_, io::Buffer());
  }
  io::Buffer piece = io::Buffer::copy_of(step.body);
  input_.consume(step.consumed);
  return piece;
}

coro::Task<Result<std::unique_ptr<http::ServerStream>>> ServerConnection::next(
    coro::CancelSource* cancel) {
  AQUIFER_ASSERT(!busy_);
  if (input_.empty()) {
    auto first = co_await io::read_before(loop_, stream_, kReadBytes,
                                          loop_.after(options_.idle_max), cancel);
    if (!first) co_return std::unexpected(first.error().from(ErrorSource::downstream));
    if (first->empty()) co_return nullptr;
    input_ = std::move(*first);
  }
  CO_TRY(const Step head, co_await step(loop_.after(options_.head_max), cancel));
  AQUIFER_ASSERT(head.event == Event::head);
  auto taken = take_head();
  if (!taken) {
    broken_ = true;
    co_return std::unexpected(taken.error());
  }
  busy_ = true;
  answer_ended_ = false;
  co_return std::make_unique<ServerStream>(*this, std::move(*taken));
}

Result<http::RequestHead> ServerConnection::take_head() {
  RequestHead& head = parser_.head();
  http::RequestHead out;
  out.method = head.method;
  out.version = head.version;
  TRY_VOID(take_target(head, out));
  if (!is_authority(out.authority)) {
    return std::unexpected(
        Error(Errc::protocol, ErrorSource::downstream, "reading a request: malformed Host")
            .with_detail(400));
  }
  if (head.framing == BodyFraming::length) out.content_length = head.content_length;
  if (head.framing == BodyFraming::none) out.content_length = 0;
  if (head.upgrade && out.method != "CONNECT")
    out.upgrade = head.fields.find("upgrade").value_or("");
  // Nobody asks for another protocol with a body; such an offer may be passed over (RFC 9110
  // section 7.8).
  if (head.framing != BodyFraming::none) out.upgrade.clear();
  // An offer that RFC 9113 took back; the answer comes in HTTP/1.1.
  if (equal_without_case(out.upgrade, "h2c")) out.upgrade.clear();
  keep_alive_ = head.keep_alive && !head.upgrade;
  expects_continue_ = head.expects_continue;
  request_ended_ = head.framing == BodyFraming::none ||
                   (head.framing == BodyFraming::length && head.content_length == 0);
  out.fields = std::move(head.fields);
  out.fields.remove("host");
  out.fields.remove("content-length");
  out.fields.remove("expect");
  if (!out.upgrade.empty()) out.fields.remove("http2-settings");
  http::remove_hop_by_hop(out.fields);
  return out;
}

coro::Task<bool> ServerConnection::finish_request(coro::CancelSource* cancel) {
  busy_ = false;
  if (broken_ || !keeps_alive() || !answer_ended_) co_return false;
  std::size_t discarded = 0;
  // The message's end may be known (no body) without the parser having told it.
  while (!parser_.between_messages()) {
    auto next_step = co_await step(loop_.after(options_.head_max), cancel);
    if (!next_step || discarded > options_.discard_max) co_return false;
    if (next_step->event == Event::body) discarded += take_body(*next_step).size();
  }
  co_return true;
}

int ServerConnection::refuse(const Error& error) {
  if (error.detail < 400 || !answer_ended_) return 0;
  std::string out;
  const Status written =
      append_response_head(out, error.detail, {{"content-length", "0"}, {"connection", "close"}});
  AQUIFER_ASSERT(written.has_value());
  // A client that does not take it is gone anyway.
  std::ignore = stream_.write(io::Buffer::copy_of(as_bytes(out)));
  return error.detail;
}

}  // namespace aquifer::http1
