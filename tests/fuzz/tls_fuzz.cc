// Hostile bytes into TLS: a server's handshake, and our record layer behind it, with records that
// are broken and with records that are authentic but break the rules. Nothing may crash, and every
// refusal must be told.
#include "common/base/assert.h"
#include "common/tls/handshake.h"
#include "common/tls/issue.h"
#include "common/tls/own_record_layer.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

using namespace aquifer;
using namespace aquifer::tls;

namespace {

std::shared_ptr<const ServerContext> make_context() {
  const auto key = PrivateKey::generate_p256().value();
  const WallTime now = WallClock::now();
  const Signer root{issue_root(key, {"fuzz", "", now, now + std::chrono::hours(24), ""}).value(),
                    key};
  const LeafTerms terms{"spiffe://cluster.local/ns/a/sa/b", now, now + std::chrono::hours(24),
                        LeafUsage::client_and_server};
  auto leaf = issue_leaf(root, key, terms).value();
  return ServerContext::create({key, {std::move(leaf)}, {root.certificate}}).value();
}

void shake(ByteView bytes) {
  static const auto context = make_context();
  auto handshake = Handshake::server(context).value();
  io::ChunkQueue out;
  while (!bytes.empty()) {
    ByteView piece = bytes.first(std::min<std::size_t>(bytes.size(), 37));
    bytes = bytes.subspan(piece.size());
    const auto step = handshake.step(piece, out);
    if (!step) return;
    AQUIFER_ASSERT(*step == HandshakeStep::needs_input && piece.empty());
  }
}

RecordState state_of(TlsRole role) {
  RecordState state;
  state.role = role;
  const std::array<std::uint8_t, 48> secret{};
  state.write.secret = state.read.secret = Secret(secret);
  return state;
}

// Opens everything in pieces and rooms that the input chooses. Once failed, always failed.
void open(RecordLayer& layer, ByteView records, std::size_t piece_size, std::size_t room) {
  io::ChunkQueue reply;
  std::vector<std::uint8_t> plaintext(room);
  bool failed = false;
  while (!records.empty()) {
    ByteView piece = records.first(std::min(records.size(), piece_size));
    records = records.subspan(piece.size());
    while (true) {
      const auto count = layer.open(piece, plaintext, reply);
      AQUIFER_ASSERT(count || piece.empty());
      AQUIFER_ASSERT(!failed || !count);
      failed = !count;
      if (!count || *count == 0) break;
      AQUIFER_ASSERT(*count <= room);
    }
  }
}

// Each pair of bytes: type and length of the next record, sealed with the right key.
void open_authentic(ByteView script, std::size_t piece_size, std::size_t room) {
  const TlsRole role = piece_size % 2 == 0 ? TlsRole::client : TlsRole::server;
  auto layer = restore_record_layer(state_of(role)).value();
  auto key = TrafficKey::create(CipherSuite::aes_256_gcm_sha384, TrafficKey::Use::seal,
                                state_of(role).read)
                 .value();
  std::vector<std::uint8_t> records;
  while (script.size() >= 2) {
    const auto type = static_cast<ContentType>(script[0]);
    const std::size_t size = std::min<std::size_t>(script[1], script.size() - 2);
    const std::array pieces = {script.subspan(2, size)};
    const std::size_t at = records.size();
    records.resize(at + size + kRecordOverhead);
    AQUIFER_ASSERT(key.seal(type, pieces, size, records.data() + at));
    if (type == ContentType::handshake && size == 5 && pieces[0][0] == 24 && pieces[0][3] == 1) {
      AQUIFER_ASSERT(key.update());
    }
    script = script.subspan(2 + size);
  }
  open(*layer, records, piece_size, room);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 3) return 0;
  const ByteView input(data + 3, size - 3);
  const std::size_t piece_size = std::size_t{1} + data[1] * std::size_t{8};
  const std::size_t room = std::size_t{1} + data[2] * std::size_t{70};
  switch (data[0] % 3) {
    case 0: shake(input); break;
    case 1: {
      auto layer = restore_record_layer(state_of(TlsRole::client)).value();
      open(*layer, input, piece_size, room);
      break;
    }
    default: open_authentic(input, piece_size, room); break;
  }
  return 0;
}
