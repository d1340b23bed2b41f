#include "common/http2/server_connection.h"

#include "common/http2/server_stream.h"

#include <nghttp2/nghttp2.h>

#include <utility>

namespace aquifer::http2 {

ServerConnection::ServerConnection(io::Loop& loop, io::ByteStream& stream, Serve serve,
                                   ServerOptions options)
    : Connection(loop, stream, Role::server, options),
      serve_(std::move(serve)),
      held_max_(options.held_max) {}

void ServerConnection::request_came(Stream& stream) {
  if (streams() + awaiting_ >= held_max_) {
    reset(stream, NGHTTP2_REFUSED_STREAM);
    return;
  }
  stream.awaits_serve = true;
  ++awaiting_;
  requests_.push_back(&stream);
}

void ServerConnection::received() {
  if (requests_.empty()) return;
  // Whoever serves may run up to its first wait here.
  std::vector<Stream*> requests;
  requests.swap(requests_);
  for (Stream* stream : requests) {
    stream->awaits_serve = false;
    if (stream->attached) {
      --awaiting_;
      serving_.spawn(serve_(std::make_unique<ServerStream>(*this, *stream)));
    } else {
      recycle(*stream);
    }
  }
  // The vector's memory serves the next round.
  requests.clear();
  if (requests_.empty()) requests_.swap(requests);
}

}  // namespace aquifer::http2
