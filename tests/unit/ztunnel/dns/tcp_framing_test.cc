// Messages on a TCP connection.
#include "ztunnel/dns/tcp_framing.h"

#include <doctest/doctest.h>

namespace aquifer::ztunnel::dns {
namespace {

TEST_CASE("messages come out as they went in, however the pieces fall") {
  const Message first(700, 1);
  const Message second{2, 2};
  const Message third(65535, 3);
  Message wire;
  for (const Message& message : {first, second, third}) {
    const Message framed = frame(message);
    wire.insert(wire.end(), framed.begin(), framed.end());
  }
  for (const std::size_t piece : {std::size_t{1}, std::size_t{7}, std::size_t{4096}, wire.size()}) {
    FrameReader reader;
    std::vector<Message> out;
    for (std::size_t at = 0; at < wire.size(); at += piece) {
      reader.append(ByteView(wire).subspan(at, std::min(piece, wire.size() - at)));
      while (auto message = reader.next()) out.push_back(std::move(*message));
    }
    CHECK(out == std::vector<Message>{first, second, third});
    CHECK_FALSE(reader.is_mid_message());
    CHECK(reader.bytes_held() == 0);
  }
}

TEST_CASE("an empty message is one, and half of one is none") {
  FrameReader reader;
  reader.append(Message{0, 0, 0});
  CHECK(reader.next() == Message());
  CHECK_FALSE(reader.next().has_value());
  CHECK(reader.is_mid_message());
}

}  // namespace
}  // namespace aquifer::ztunnel::dns
