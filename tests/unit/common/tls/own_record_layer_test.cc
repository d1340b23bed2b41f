// The rules of RFC 8446 that a well-behaved peer never breaks, tried on our own record layer.
#include "common/tls/own_record_layer.h"

#include "common/tls/openssl.h"
#include "tests/unit/common/tls/test_mesh.h"

#include <doctest/doctest.h>

using namespace aquifer;
using namespace aquifer::tls;
using namespace aquifer::tls::testing;

namespace {

using Bytes = std::vector<std::uint8_t>;

constexpr auto kHandshake = ContentType::handshake;
constexpr auto kData = ContentType::application_data;

Secret secret_of(std::uint8_t seed) {
  Bytes bytes(48);
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::uint8_t>(seed + i);
  return Secret(bytes);
}

RecordState state_of(TlsRole role) {
  RecordState state;
  state.role = role;
  state.write.secret = secret_of(role == TlsRole::client ? 1 : 2);
  state.read.secret = secret_of(role == TlsRole::client ? 2 : 1);
  return state;
}

/// Our layer, and a peer that holds its keys but keeps no rule.
struct Fixture {
  explicit Fixture(TlsRole role = TlsRole::server)
      : layer(OwnRecordLayer::create(state_of(role)).value()),
        peer(TrafficKey::create(CipherSuite::aes_256_gcm_sha384, TrafficKey::Use::seal,
                                state_of(role).read)
                 .value()) {}

  std::unique_ptr<OwnRecordLayer> layer;
  TrafficKey peer;
  io::ChunkQueue reply;

  Bytes record(ContentType type, ByteView content) {
    Bytes bytes(content.size() + kRecordOverhead);
    const std::array pieces = {content};
    REQUIRE(peer.seal(type, pieces, content.size(), bytes.data()));
    return bytes;
  }
  Result<std::string> open(ByteView records, std::size_t room = 20000) {
    std::string all;
    Bytes plaintext(room);
    while (true) {
      auto count = layer->open(records, plaintext, reply);
      if (!count) return fail(count.error());
      if (*count == 0) return all;
      all += as_text(ByteView(plaintext).first(*count));
    }
  }
  Result<std::string> open(ContentType type, ByteView content) {
    return open(record(type, content));
  }

  /// The alert that we sent, as the peer reads it.
  int alert() {
    auto key = TrafficKey::create(CipherSuite::aes_256_gcm_sha384, TrafficKey::Use::open,
                                  state_of(TlsRole::server).write)
                   .value();
    const Bytes sent = drain(reply);
    Bytes inner(sent.size());
    REQUIRE(sent.size() == 2 + kRecordOverhead);
    REQUIRE(key.open(sent, inner.data()));
    REQUIRE(inner[2] == 21);
    REQUIRE(inner[0] == 2);
    return inner[1];
  }
};

struct ClientFixture : Fixture {
  ClientFixture() : Fixture(TlsRole::client) {}
};

Bytes ticket(std::size_t body) {
  Bytes message(4 + body);
  message[0] = 4;
  message[2] = static_cast<std::uint8_t>(body >> 8);
  message[3] = static_cast<std::uint8_t>(body);
  return message;
}

}  // namespace

TEST_CASE_FIXTURE(Fixture, "RFC 8446 5.4: padding is taken off") {
  // Sealed with type 0: the real type and the zeros before it are content to the key.
  Bytes inner = {'h', 'i', 23};
  inner.resize(1000);
  CHECK(open(static_cast<ContentType>(0), inner).value() == "hi");
}

TEST_CASE_FIXTURE(Fixture, "RFC 8446 5.4: a record of nothing but zeros is unexpected") {
  CHECK_FALSE(open(static_cast<ContentType>(0), Bytes(20)));
  CHECK(alert() == SSL_AD_UNEXPECTED_MESSAGE);
}

TEST_CASE_FIXTURE(Fixture, "RFC 8446 5.4: content and padding may fill a record but not more") {
  Bytes most(16384, 'x');
  CHECK(open(kData, most).value().size() == 16384);
  Bytes padded(16384, 0);
  padded[0] = 'x';
  padded[1] = 23;
  CHECK(open(static_cast<ContentType>(0), padded).value() == "x");
  padded.push_back(0);
  SUBCASE("padding") {
    CHECK_FALSE(open(static_cast<ContentType>(0), padded));
  }
  SUBCASE("content") {
    CHECK_FALSE(open(kData, Bytes(16385, 'x')));
  }
  CHECK(alert() == SSL_AD_RECORD_OVERFLOW);
}

TEST_CASE_FIXTURE(Fixture, "RFC 8446 5.1: empty data is allowed, a flood of it is not") {
  for (int i = 0; i < 20; ++i) CHECK(open(kData, {}).value().empty());
  CHECK(open(kData, as_bytes("x")).value() == "x");
  for (int i = 0; i < 32; ++i) CHECK(open(kData, {}).value().empty());
  CHECK_FALSE(open(kData, {}));
  CHECK(alert() == SSL_AD_UNEXPECTED_MESSAGE);
}

TEST_CASE_FIXTURE(Fixture, "a flood of key updates is refused") {
  const Bytes update = {24, 0, 0, 1, 1};
  int accepted = 0;
  while (open(kHandshake, update)) {
    REQUIRE(peer.update());
    ++accepted;
  }
  CHECK(accepted == 32);
}

TEST_CASE_FIXTURE(Fixture, "RFC 8446 4.6.3: a key update must be the last thing in its record") {
  const Bytes update = {24, 0, 0, 1, 0, 24, 0, 0, 1, 0};
  CHECK_FALSE(open(kHandshake, update));
  CHECK(alert() == SSL_AD_UNEXPECTED_MESSAGE);
}

TEST_CASE_FIXTURE(Fixture, "RFC 8446 4.6.3: a key update asks for 0 or 1") {
  CHECK_FALSE(open(kHandshake, Bytes{24, 0, 0, 1, 2}));
  CHECK(alert() == SSL_AD_ILLEGAL_PARAMETER);
}

TEST_CASE_FIXTURE(Fixture, "a key update of another length is malformed") {
  CHECK_FALSE(open(kHandshake, Bytes{24, 0, 0, 2, 0, 0}));
  CHECK(alert() == SSL_AD_DECODE_ERROR);
}

TEST_CASE_FIXTURE(Fixture, "a key update may span records") {
  CHECK(open(kHandshake, Bytes{24, 0}).value().empty());
  CHECK(open(kHandshake, Bytes{0, 1}).value().empty());
  CHECK(open(kHandshake, Bytes{0}).value().empty());
  REQUIRE(peer.update());
  CHECK(open(kData, as_bytes("new")).value() == "new");
  CHECK(reply.empty());
}

TEST_CASE_FIXTURE(Fixture, "RFC 8446 5.1: nothing comes between the parts of a handshake message") {
  SUBCASE("data") {
    CHECK(open(kHandshake, Bytes{24, 0}));
    CHECK_FALSE(open(kData, as_bytes("x")));
  }
  SUBCASE("alert") {
    CHECK(open(kHandshake, Bytes{24, 0}));
    CHECK_FALSE(open(ContentType::alert, Bytes{1, 0}));
  }
  CHECK(alert() == SSL_AD_UNEXPECTED_MESSAGE);
}

TEST_CASE_FIXTURE(Fixture, "RFC 8446 5.1: an empty handshake record is unexpected") {
  CHECK_FALSE(open(kHandshake, {}));
  CHECK(alert() == SSL_AD_UNEXPECTED_MESSAGE);
}

TEST_CASE_FIXTURE(ClientFixture, "a server's tickets are forgotten, also over several records") {
  const Bytes one = ticket(300);
  CHECK(open(kHandshake, one).value().empty());
  CHECK(open(kHandshake, ByteView(one).first(3)).value().empty());
  CHECK(open(kHandshake, ByteView(one).subspan(3, 100)).value().empty());
  CHECK(open(kHandshake, ByteView(one).subspan(103)).value().empty());
  CHECK(open(kData, as_bytes("data")).value() == "data");
  CHECK(reply.empty());
}

TEST_CASE_FIXTURE(Fixture, "a ticket from a client is unexpected") {
  CHECK_FALSE(open(kHandshake, ticket(10)));
  CHECK(alert() == SSL_AD_UNEXPECTED_MESSAGE);
}

TEST_CASE_FIXTURE(Fixture, "any other handshake message is unexpected") {
  CHECK_FALSE(open(kHandshake, Bytes{13, 0, 0, 0}));
  CHECK(alert() == SSL_AD_UNEXPECTED_MESSAGE);
}

TEST_CASE_FIXTURE(Fixture, "an unknown content type is unexpected") {
  CHECK_FALSE(open(static_cast<ContentType>(24), as_bytes("x")));
  CHECK(alert() == SSL_AD_UNEXPECTED_MESSAGE);
}

TEST_CASE_FIXTURE(Fixture, "a record that cannot hold a tag and a type is malformed") {
  CHECK_FALSE(open(Bytes{23, 3, 3, 0, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}));
  CHECK(alert() == SSL_AD_DECODE_ERROR);
}

TEST_CASE_FIXTURE(Fixture,
                  "RFC 8446 6: user_canceled is no error, every other alert ends the connection") {
  CHECK(open(ContentType::alert, Bytes{1, 90}).value().empty());
  CHECK_FALSE(layer->peer_closed());
  CHECK_FALSE(open(ContentType::alert, Bytes{1, 40}));
  CHECK(last_tls_error_text() == "the peer sent alert handshake failure");
  CHECK(reply.empty());
}

TEST_CASE_FIXTURE(Fixture, "an alert of the wrong length is malformed") {
  CHECK_FALSE(open(ContentType::alert, Bytes{1}));
  CHECK(alert() == SSL_AD_DECODE_ERROR);
}

TEST_CASE_FIXTURE(Fixture,
                  "an answer to a key update that was asked for comes with the old key, then the "
                  "new one is used") {
  auto reader = TrafficKey::create(CipherSuite::aes_256_gcm_sha384, TrafficKey::Use::open,
                                   state_of(TlsRole::server).write)
                    .value();
  CHECK(open(kHandshake, Bytes{24, 0, 0, 1, 1}).value().empty());
  const Bytes answer = drain(reply);
  Bytes inner(64);
  REQUIRE(answer.size() == 5 + kRecordOverhead);
  REQUIRE(reader.open(answer, inner.data()));
  CHECK(Bytes(inner.begin(), inner.begin() + 6) == Bytes{24, 0, 0, 1, 0, 22});
  REQUIRE(reader.update());
  io::ChunkQueue out;
  const std::array pieces = {as_bytes("new")};
  REQUIRE(layer->seal(pieces, out));
  CHECK(reader.open(drain(out), inner.data()));
}

TEST_CASE("a key is changed before it is worn out, between two records of one call") {
  // RFC 8446 5.5: 2^24.5 records; we change at 2^24.
  auto ours = state_of(TlsRole::client);
  auto theirs = state_of(TlsRole::server);
  ours.write.sequence = theirs.read.sequence = (1 << 24) - 2;
  auto sender = OwnRecordLayer::create(ours).value();
  auto receiver = OwnRecordLayer::create(theirs).value();
  const Bytes sent(5 * 16384, 'x');
  io::ChunkQueue out;
  const std::array pieces = {ByteView(sent)};
  REQUIRE(sender->seal(pieces, out));
  CHECK(sender->export_state()->write.sequence == 3);
  const Bytes records = drain(out);
  CHECK(records.size() == sent.size() + 5 * kRecordOverhead + 5 + kRecordOverhead);
  ByteView rest = records;
  Bytes plaintext(200'000);
  io::ChunkQueue reply;
  CHECK(receiver->open(rest, plaintext, reply).value() == sent.size());
  CHECK(reply.empty());
}

TEST_CASE("a connection written down at any byte of a record is carried on without losing one") {
  auto sender = OwnRecordLayer::create(state_of(TlsRole::client)).value();
  io::ChunkQueue out;
  const std::array pieces = {as_bytes("0123456789")};
  REQUIRE(sender->seal(pieces, out));
  REQUIRE(sender->update_keys(OwnRecordLayer::PeerToo::no, out));
  REQUIRE(sender->seal(pieces, out));
  const Bytes records = drain(out);
  for (std::size_t cut = 0; cut <= records.size(); ++cut) {
    std::string received;
    Bytes plaintext(4);  // smaller than a record, so that opened bytes wait too
    io::ChunkQueue reply;
    auto layer = OwnRecordLayer::create(state_of(TlsRole::server)).value();
    ByteView first = ByteView(records).first(cut);
    received += as_text(ByteView(plaintext).first(layer->open(first, plaintext, reply).value()));
    while (!first.empty())
      received += as_text(ByteView(plaintext).first(layer->open(first, plaintext, reply).value()));

    auto next = restore_record_layer(layer->export_state().value()).value();
    layer.reset();
    ByteView second = ByteView(records).subspan(cut);
    while (true) {
      const auto count = next->open(second, plaintext, reply).value();
      if (count == 0) break;
      received += as_text(ByteView(plaintext).first(count));
    }
    CHECK(received == "01234567890123456789");
  }
}

TEST_CASE("a connection that failed cannot be written down") {
  Fixture fixture;
  CHECK_FALSE(fixture.open(as_bytes("rubbish")));
  CHECK_FALSE(fixture.layer->export_state());
}

TEST_CASE("a secret of the wrong length makes no layer") {
  RecordState state = state_of(TlsRole::client);
  state.suite = CipherSuite::aes_128_gcm_sha256;
  CHECK_FALSE(restore_record_layer(std::move(state)));
}
