// What every record layer promises, tried with OpenSSL's and ours at either end.
#include "common/tls/record_layer.h"

#include "common/tls/openssl_record_layer.h"
#include "common/tls/own_record_layer.h"
#include "tests/unit/common/tls/test_mesh.h"

#include <doctest/doctest.h>

#include <random>

using namespace aquifer;
using namespace aquifer::tls;
using namespace aquifer::tls::testing;

namespace {

using Bytes = std::vector<std::uint8_t>;

/// Two established ends.
struct Wired {
  std::unique_ptr<RecordLayer> client;
  std::unique_ptr<RecordLayer> server;
};

Wired wire(RecordLayerKind client_kind, RecordLayerKind server_kind) {
  static const Signer root = make_root();
  static const CertificateBundle client = bundle_of(root, id_of("client"));
  static const CertificateBundle server = bundle_of(root, id_of("server"));
  Pair pair(ClientContext::create(client, {client_kind, KeyExchange::hybrid_first}).value(),
            ServerContext::create(server, {server_kind, KeyExchange::hybrid_first}).value(),
            {id_of("server")});
  pair.run();
  REQUIRE(pair.client.done);
  REQUIRE(pair.server.done);
  return {std::move(pair.client.handshake.finish().value().records),
          std::move(pair.server.handshake.finish().value().records)};
}

/// All four combinations, each as a subcase.
Wired any_wired() {
  Wired wired;
  SUBCASE("openssl to openssl") {
    wired = wire(RecordLayerKind::openssl, RecordLayerKind::openssl);
  }
  SUBCASE("openssl to own") {
    wired = wire(RecordLayerKind::openssl, RecordLayerKind::own);
  }
  SUBCASE("own to openssl") {
    wired = wire(RecordLayerKind::own, RecordLayerKind::openssl);
  }
  SUBCASE("own to own") {
    wired = wire(RecordLayerKind::own, RecordLayerKind::own);
  }
  return wired;
}

Bytes random_bytes(std::mt19937& random, std::size_t size) {
  Bytes bytes(size);
  for (auto& byte : bytes) byte = static_cast<std::uint8_t>(random());
  return bytes;
}

Bytes seal(RecordLayer& from, ByteView plaintext) {
  io::ChunkQueue out;
  const std::array pieces = {plaintext};
  REQUIRE(from.seal(pieces, out));
  return drain(out);
}

Bytes seal(RecordLayer& from, std::string_view text) {
  return seal(from, as_bytes(text));
}

struct Opened {
  Bytes plaintext;
  Bytes reply;
  std::optional<Error> error;
  std::string reason;
  [[nodiscard]] std::string_view text() const { return as_text(plaintext); }
};

/// Opens `ciphertext` as a caller does: again and again until 0 comes.
Opened open(RecordLayer& to, ByteView ciphertext, std::size_t room = 20000) {
  Opened opened;
  Bytes plaintext(room);
  io::ChunkQueue reply;
  while (true) {
    const auto count = to.open(ciphertext, plaintext, reply);
    if (!count) {
      opened.reason = last_tls_error_text();
      opened.error = count.error();
      break;
    }
    if (*count == 0) break;
    opened.plaintext.insert(opened.plaintext.end(), plaintext.begin(),
                            plaintext.begin() + static_cast<std::ptrdiff_t>(*count));
  }
  CHECK(ciphertext.empty());
  opened.reply = drain(reply);
  return opened;
}

std::size_t record_count(ByteView records) {
  std::size_t count = 0;
  while (!records.empty()) {
    records = records.subspan(5 + (static_cast<std::size_t>(records[3]) << 8 | records[4]));
    ++count;
  }
  return count;
}

}  // namespace

TEST_CASE("bytes arrive once and in order, whatever the pieces, the segments and the room") {
  Wired wired = any_wired();
  std::mt19937 random(1);
  for (const std::size_t room : {std::size_t{1}, std::size_t{100}, std::size_t{16384},
                                 std::size_t{16401}, std::size_t{200000}}) {
    for (int direction = 0; direction < 2; ++direction) {
      RecordLayer& from = direction == 0 ? *wired.client : *wired.server;
      RecordLayer& to = direction == 0 ? *wired.server : *wired.client;
      // The smallest room with a few bytes only, or it takes for ever.
      const Bytes sent = random_bytes(random, room == 1 ? 3000 : 300'000);
      Bytes received;
      std::size_t at = 0;
      while (at < sent.size()) {
        std::vector<ByteView> pieces;
        for (int i = 0; i < 5 && at < sent.size(); ++i) {
          const std::size_t limit = std::array<std::size_t, 4>{0, 9, 5000, 70000}[random() % 4];
          const std::size_t size = std::min<std::size_t>(random() % (limit + 1), sent.size() - at);
          pieces.push_back(ByteView(sent).subspan(at, size));
          at += size;
        }
        io::ChunkQueue out;
        REQUIRE(from.seal(pieces, out));
        const Bytes records = drain(out);
        for (std::size_t done = 0; done < records.size();) {
          const std::size_t size =
              std::min<std::size_t>(1 + random() % 40000, records.size() - done);
          const Opened opened = open(to, ByteView(records).subspan(done, size), room);
          REQUIRE_FALSE(opened.error);
          REQUIRE(opened.reply.empty());
          received.insert(received.end(), opened.plaintext.begin(), opened.plaintext.end());
          done += size;
        }
      }
      CHECK(received == sent);
    }
  }
}

TEST_CASE("a record may arrive in two parts, cut at every byte") {
  Wired wired = any_wired();
  const std::size_t size = seal(*wired.client, "hello, world").size();
  wired = wire(RecordLayerKind::own, RecordLayerKind::own);
  for (std::size_t cut = 0; cut <= size; ++cut) {
    const Bytes record = seal(*wired.client, "hello, world");
    const Opened first = open(*wired.server, ByteView(record).first(cut));
    const Opened second = open(*wired.server, ByteView(record).subspan(cut));
    CHECK(std::string(first.text()) + std::string(second.text()) == "hello, world");
  }
}

TEST_CASE("a frame header and a payload that fit share one record") {
  Wired wired = any_wired();
  const Bytes header(9);
  const Bytes payload(16384 - 9);
  const std::array pieces = {ByteView(header), ByteView(payload), ByteView(header),
                             ByteView(payload)};
  io::ChunkQueue out;
  REQUIRE(wired.client->seal(pieces, out));
  CHECK(record_count(drain(out)) == 2);
}

TEST_CASE("sealing nothing sends nothing") {
  Wired wired = any_wired();
  io::ChunkQueue out;
  REQUIRE(wired.client->seal({}, out));
  const std::array pieces = {ByteView{}};
  REQUIRE(wired.client->seal(pieces, out));
  CHECK(out.empty());
}

TEST_CASE("a close_notify ends one direction and leaves the other") {
  Wired wired = any_wired();
  io::ChunkQueue out;
  const Bytes data = seal(*wired.client, "last words");
  REQUIRE(wired.client->close_notify(out));
  Bytes records = data;
  const Bytes closing = drain(out);
  CHECK_FALSE(closing.empty());
  records.insert(records.end(), closing.begin(), closing.end());
  const Opened opened = open(*wired.server, records);
  CHECK(opened.text() == "last words");
  CHECK_FALSE(opened.error);
  CHECK(wired.server->peer_closed());
  CHECK_FALSE(wired.client->peer_closed());
  CHECK(open(*wired.client, seal(*wired.server, "answer")).text() == "answer");

  const std::array pieces = {as_bytes("more")};
  const Status late = wired.client->seal(pieces, out);
  REQUIRE_FALSE(late);
  CHECK(late.error().code == Errc::closed);
  REQUIRE(wired.client->close_notify(out));
  CHECK(out.empty());
  // What comes behind a close_notify is dropped.
  CHECK(open(*wired.server, as_bytes("rubbish")).plaintext.empty());
}

TEST_CASE("a byte changed anywhere in a record is noticed, and told with an alert") {
  Wired probe = any_wired();
  const Bytes sample = seal(*probe.client, "secret");
  const auto client_kind =
      probe.client->name() == "own" ? RecordLayerKind::own : RecordLayerKind::openssl;
  const auto server_kind =
      probe.server->name() == "own" ? RecordLayerKind::own : RecordLayerKind::openssl;
  for (std::size_t at = 0; at < sample.size(); at += 3) {
    if (at == 3) continue;  // a longer length only waits for more bytes
    Wired wired = wire(client_kind, server_kind);
    Bytes record = seal(*wired.client, "secret");
    record[at] ^= 0x01;
    const Bytes next = seal(*wired.client, "more of the secret");
    record.insert(record.end(), next.begin(), next.end());
    const Opened opened = open(*wired.server, record);
    REQUIRE_MESSAGE(opened.error, "byte ", at);
    CHECK(opened.error->code == Errc::tls);
    CHECK(opened.plaintext.empty());
    CHECK_FALSE(opened.reason.empty());
    REQUIRE_FALSE(opened.reply.empty());
    // The other side hears why.
    const Opened told = open(*wired.client, opened.reply);
    CHECK(told.error);
    CHECK(told.reason.find("alert") != std::string::npos);
  }
}

TEST_CASE("what came whole before a broken record is given first, then the error, for good") {
  Wired wired = any_wired();
  Bytes records = seal(*wired.client, "good");
  Bytes bad = seal(*wired.client, "bad");
  bad.back() ^= 0x80;
  records.insert(records.end(), bad.begin(), bad.end());
  const Opened opened = open(*wired.server, records);
  CHECK(opened.text() == "good");
  CHECK(opened.error);
  CHECK(open(*wired.server, seal(*wired.client, "later")).error);
  io::ChunkQueue out;
  const std::array pieces = {as_bytes("x")};
  CHECK_FALSE(wired.server->seal(pieces, out));
  CHECK(out.empty());
}

TEST_CASE("a record that is replayed, or comes before its turn, is refused") {
  SUBCASE("replayed") {
    Wired wired = any_wired();
    const Bytes record = seal(*wired.client, "pay 5");
    CHECK(open(*wired.server, record).text() == "pay 5");
    CHECK(open(*wired.server, record).error);
  }
  SUBCASE("reordered") {
    Wired wired = any_wired();
    (void)seal(*wired.client, "first");
    CHECK(open(*wired.server, seal(*wired.client, "second")).error);
  }
  SUBCASE("reflected") {
    Wired wired = any_wired();
    CHECK(open(*wired.client, seal(*wired.client, "mine")).error);
  }
}

TEST_CASE("a record that claims to be too long is refused by its header alone") {
  Wired wired = any_wired();
  const Bytes header = {23, 3, 3, 0x41, 0x01};  // 16641
  const Opened opened = open(*wired.server, header);
  CHECK(opened.error);
  CHECK_FALSE(opened.reply.empty());
}

TEST_CASE("records in the clear are refused after the handshake") {
  const auto http = as_bytes("HTTP/1.1 400 Bad Request\r\n\r\n");
  const std::array records = {
      Bytes{21, 3, 3, 0, 2, 1, 0},            // a close_notify that anybody on the way could write
      Bytes{22, 3, 3, 0, 5, 24, 0, 0, 1, 0},  // a key update
      Bytes{23, 3, 3, 0, 2, 65, 65},          // data
      Bytes{20, 3, 3, 0, 2, 1, 1},            // change_cipher_spec, malformed
      Bytes(http.begin(), http.end()),
  };
  for (const auto kind : {RecordLayerKind::openssl, RecordLayerKind::own}) {
    for (const Bytes& record : records) {
      Wired wired = wire(kind, kind);
      CHECK(open(*wired.server, record).error);
      CHECK_FALSE(wired.server->peer_closed());
    }
  }
}

TEST_CASE("a peer that asks for new keys gets them, in both directions and again and again") {
  for (const auto server_kind : {RecordLayerKind::openssl, RecordLayerKind::own}) {
    Wired wired = wire(RecordLayerKind::openssl, server_kind);
    auto& client = dynamic_cast<OpensslRecordLayer&>(*wired.client);
    for (int round = 0; round < 5; ++round) {
      client.request_key_update();
      const Opened asked = open(*wired.server, seal(client, "with new keys"));
      REQUIRE_FALSE(asked.error);
      CHECK(asked.text() == "with new keys");
      Bytes answer = asked.reply;
      const Bytes data = seal(*wired.server, "and back");
      answer.insert(answer.end(), data.begin(), data.end());
      const Opened back = open(client, answer);
      REQUIRE_FALSE(back.error);
      CHECK(back.text() == "and back");
    }
  }
}

TEST_CASE("new keys that we ask for are given by OpenSSL and by ourselves") {
  for (const auto server_kind : {RecordLayerKind::openssl, RecordLayerKind::own}) {
    Wired wired = wire(RecordLayerKind::own, server_kind);
    auto& client = dynamic_cast<OwnRecordLayer&>(*wired.client);
    for (int round = 0; round < 5; ++round) {
      io::ChunkQueue out;
      const Bytes before = seal(client, "before ");
      REQUIRE(client.update_keys(OwnRecordLayer::PeerToo::requested, out));
      Bytes records = before;
      for (const Bytes& more : {drain(out), seal(client, "after")}) {
        records.insert(records.end(), more.begin(), more.end());
      }
      const Opened opened = open(*wired.server, records);
      REQUIRE_FALSE(opened.error);
      CHECK(opened.text() == "before after");
      // OpenSSL may keep its answer for its next write.
      Bytes answer = opened.reply;
      const Bytes data = seal(*wired.server, "and back");
      answer.insert(answer.end(), data.begin(), data.end());
      const Opened back = open(client, answer);
      REQUIRE_FALSE(back.error);
      CHECK(back.text() == "and back");
    }
  }
}

TEST_CASE("AES-128 peers are served by our records too") {
  static const Signer root = make_root();
  const auto client = bundle_of(root, id_of("client"));
  const auto server = bundle_of(root, id_of("server"));
  const ContextOptions own = {RecordLayerKind::own, KeyExchange::hybrid_first};
  const auto client_context = ClientContext::create(client, own).value();
  SSL_CTX_set_ciphersuites(client_context->handle(), "TLS_AES_128_GCM_SHA256");
  Pair pair(client_context, ServerContext::create(server).value(), {id_of("server")});
  pair.run();
  REQUIRE(pair.server.done);
  auto left = pair.client.handshake.finish().value();
  auto right = pair.server.handshake.finish().value();
  CHECK(left.peer.cipher == "TLS_AES_128_GCM_SHA256");
  CHECK(open(*right.records, seal(*left.records, "there")).text() == "there");
  CHECK(open(*left.records, seal(*right.records, "back")).text() == "back");
}
