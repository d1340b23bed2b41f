#include "common/http1/client_connection.h"

#include "common/base/assert.h"
#include "common/http1/client_stream.h"
#include "common/http1/message.h"

#include <string>
#include <utility>

namespace aquifer::http1 {
namespace {

constexpr std::size_t kReadBytes = 64 * 1024;

void append_line(std::string& out, std::string_view name, std::string_view value) {
  out.append(name).append(": ").append(value).append("\r\n");
}

}  // namespace

ClientConnection::ClientConnection(std::unique_ptr<io::ByteStream> stream, ResponseLimits limits)
    : stream_(std::move(stream)), decoder_(limits) {}

ClientConnection::~ClientConnection() {
  AQUIFER_ASSERT(!busy_);
}

bool ClientConnection::reusable() const noexcept {
  return !busy_ && !broken_ && answer_ended_ && request_ended_ &&
         (requests_ == 0 || decoder_.keep_alive()) && input_.empty() && stream_->is_quiet();
}

Result<std::unique_ptr<http::ClientStream>> ClientConnection::open(const http::RequestHead& head,
                                                                   http::End end) {
  AQUIFER_ASSERT(!busy_ && !broken_);
  std::string out;
  const bool connect = head.method == "CONNECT";
  TRY_VOID(begin_request_head(out, head.method, connect ? head.authority : head.path));
  append_line(out, "host", head.authority);
  TRY_VOID(append_field_lines(out, head.fields));
  auto framing = BodyWriter::Framing::none;
  if (!head.upgrade.empty()) {
    append_line(out, "connection", "Upgrade");
    append_line(out, "upgrade", head.upgrade);
  } else if (end == http::End::yes) {
    // A length of 0 says that a body was meant, where the method would have one.
    const bool means_body = head.method == "POST" || head.method == "PUT" || head.method == "PATCH";
    if (means_body) append_line(out, "content-length", "0");
  } else if (head.content_length && !connect) {
    framing = BodyWriter::Framing::length;
    append_line(out, "content-length", std::to_string(*head.content_length));
  } else if (!connect) {
    framing = BodyWriter::Framing::chunked;
    append_line(out, "transfer-encoding", "chunked");
  }
  out.append("\r\n");
  decoder_.expect(head.method);
  if (const Status sent = stream_->write(io::Buffer::copy_of(as_bytes(out))); !sent) {
    broken_ = true;
    // Nothing of the request has left: another connection may be tried.
    return std::unexpected(sent.error().from(ErrorSource::upstream).retryable());
  }
  ++requests_;
  busy_ = true;
  may_switch_ = connect || !head.upgrade.empty();
  answer_begun_ = false;
  answer_ended_ = false;
  request_ended_ = framing == BodyWriter::Framing::none;
  return std::make_unique<ClientStream>(*this, framing, head.content_length.value_or(0));
}

coro::Task<Result<Step>> ClientConnection::step(coro::CancelSource* cancel) {
  for (;;) {
    if (!input_.empty() || !decoder_.between_messages()) {
      const auto parsed = decoder_.next(input_.view());
      if (!parsed) {
        broken_ = true;
        co_return std::unexpected(parsed.error());
      }
      if (parsed->event == Event::body) co_return *parsed;  // taken by take_body()
      if (parsed->consumed > 0) input_.consume(parsed->consumed);
      if (input_.empty()) input_.release();
      if (parsed->event != Event::need_more) co_return *parsed;
    }
    auto more = co_await stream_->read(kReadBytes, cancel);
    if (!more) {
      broken_ = true;
      co_return std::unexpected(more.error().from(ErrorSource::upstream));
    }
    if (more->empty()) {
      broken_ = true;
      CO_TRY(const bool whole, decoder_.finish());
      AQUIFER_ASSERT(whole);
      co_return Step{.event = Event::end};
    }
    answer_begun_ = true;
    input_ = std::move(*more);
  }
}

io::Buffer ClientConnection::take_body(const Step& step) {
  const std::size_t before = static_cast<std::size_t>(step.body.data() - input_.data());
  if (before + step.body.size() == input_.size()) {
    input_.consume(before);
    return std::exchange(input_, io::Buffer());
  }
  io::Buffer piece = io::Buffer::copy_of(step.body);
  input_.consume(step.consumed);
  return piece;
}

}  // namespace aquifer::http1
