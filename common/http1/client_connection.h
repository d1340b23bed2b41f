// The client's side of an HTTP/1.1 connection over a byte stream: requests one after the other,
// each as an http::ClientStream. One loop; owned by a pool.
#pragma once

#include "common/coro/cancel.h"
#include "common/coro/task.h"
#include "common/http/stream.h"
#include "common/http1/body_writer.h"
#include "common/http1/response_decoder.h"
#include "common/io/byte_stream.h"

#include <cstdint>
#include <memory>

namespace aquifer::http1 {

class ClientStream;

class ClientConnection {
 public:
  explicit ClientConnection(std::unique_ptr<io::ByteStream> stream, ResponseLimits limits = {});
  ~ClientConnection();
  ClientConnection(const ClientConnection&) = delete;
  ClientConnection& operator=(const ClientConnection&) = delete;

  /// Sends a request's head; the connection must be free. `authority` goes into Host. An error is
  /// the connection's end.
  [[nodiscard]] Result<std::unique_ptr<http::ClientStream>> open(const http::RequestHead& head,
                                                                 http::End end);
  /// True while another request may be sent: the last answer was read to its end, the server keeps
  /// the connection, and it has said nothing since.
  [[nodiscard]] bool reusable() const noexcept;
  /// Requests that were sent on it.
  [[nodiscard]] std::uint64_t requests() const noexcept { return requests_; }

 private:
  friend class ClientStream;
  [[nodiscard]] coro::Task<Result<Step>> step(coro::CancelSource* cancel);
  [[nodiscard]] io::Buffer take_body(const Step& step);

  const std::unique_ptr<io::ByteStream> stream_;
  ResponseDecoder decoder_;
  io::Buffer input_;
  std::uint64_t requests_ = 0;
  bool busy_ = false;
  bool may_switch_ = false;    // the request asked for another protocol
  bool answer_begun_ = false;  // a byte of it has come
  bool answer_ended_ = true;
  bool request_ended_ = true;
  bool broken_ = false;
};

}  // namespace aquifer::http1
