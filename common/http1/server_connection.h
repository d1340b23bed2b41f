// The server's side of an HTTP/1.1 connection over a byte stream: its requests one after the other,
// each as an http::ServerStream. One loop; owned by whoever serves the connection.
#pragma once

#include "common/coro/cancel.h"
#include "common/coro/task.h"
#include "common/http/stream.h"
#include "common/http1/body_writer.h"
#include "common/http1/request_parser.h"
#include "common/io/byte_stream.h"
#include "common/io/expiry.h"
#include "common/io/loop.h"

#include <cstdint>
#include <limits>
#include <memory>

namespace aquifer::http1 {

struct ServerOptions {
  /// Bodies are passed on as they come: their length is nobody's business here.
  Limits request = {.head_bytes_max = 64 * 1024,
                    .request_target_bytes_max = 16 * 1024,
                    .fields_max = 200,
                    .body_bytes_max = std::numeric_limits<std::uint64_t>::max()};
  /// Between requests, as Istio's idle timeout of a connection.
  Duration idle_max = std::chrono::hours(1);
  /// From the first byte of a head to its last: a client that is slower holds a place for nothing.
  Duration head_max = std::chrono::seconds(30);
  /// What is read and thrown away of a body that nobody wanted, so that the connection can go on:
  /// cheaper than the handshakes of another, up to about this much.
  std::size_t discard_max = std::size_t{1} << 20;
};

class ServerStream;

class ServerConnection {
 public:
  /// `stream` outlives the connection. `first` are bytes that somebody read from it to look at; may
  /// be empty.
  ServerConnection(io::Loop& loop, io::ByteStream& stream, io::Buffer first,
                   ServerOptions options = {});
  ~ServerConnection();
  ServerConnection(const ServerConnection&) = delete;
  ServerConnection& operator=(const ServerConnection&) = delete;

  /// The next request, once the last one was given back; null when the client has ended between
  /// two. An error ends the connection: refuse() tells the client of it.
  [[nodiscard]] coro::Task<Result<std::unique_ptr<http::ServerStream>>> next(
      coro::CancelSource* cancel);
  /// After a request was given back: reads the rest of its body if that is little, and says whether
  /// another may follow.
  [[nodiscard]] coro::Task<bool> finish_request(coro::CancelSource* cancel);
  /// Answers what could not be read with the status in Error::detail, if there is one. The status
  /// that the client was told; 0: none.
  int refuse(const Error& error);
  /// The answer under way, and every further one, says `Connection: close`.
  void drain() noexcept { draining_ = true; }
  /// Between two requests, with nothing read of another.
  [[nodiscard]] bool idle() const noexcept {
    return !busy_ && parser_.between_messages() && input_.empty();
  }
  /// Of the last head: the access log's view of who is at fault is the caller's.
  [[nodiscard]] bool keeps_alive() const noexcept { return keep_alive_ && !draining_; }

 private:
  friend class ServerStream;
  [[nodiscard]] coro::Task<Result<Step>> step(Deadline deadline, coro::CancelSource* cancel);
  [[nodiscard]] Result<http::RequestHead> take_head();
  [[nodiscard]] io::Buffer take_body(const Step& step);

  io::Loop& loop_;
  io::ByteStream& stream_;
  const ServerOptions options_;
  RequestParser parser_;
  io::Buffer input_;
  bool busy_ = false;        // a request is under way
  bool keep_alive_ = false;  // the client will take another answer behind this one
  bool expects_continue_ = false;
  bool request_ended_ = true;
  bool answer_ended_ = true;
  bool broken_ = false;
  bool draining_ = false;
};

}  // namespace aquifer::http1
