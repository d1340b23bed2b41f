// RecordState: a connection's record layer written down, so that another process can carry it on.
#pragma once

#include "common/tls/secret.h"

#include <cstdint>
#include <vector>

namespace aquifer::tls {

enum class CipherSuite : std::uint8_t { aes_256_gcm_sha384, aes_128_gcm_sha256 };

/// Which end of the connection we are.
enum class TlsRole : std::uint8_t { client, server };

/// One direction. The secret rather than the key, because the next key update starts from it.
struct DirectionState {
  Secret secret;
  std::uint64_t sequence = 0;  ///< of the next record
};

struct RecordState {
  CipherSuite suite = CipherSuite::aes_256_gcm_sha384;
  TlsRole role = TlsRole::client;
  DirectionState write;
  DirectionState read;
  bool closed = false;                   ///< we have sent close_notify
  bool peer_closed = false;              ///< the peer has
  std::vector<std::uint8_t> ciphertext;  ///< received, not yet a whole record
  std::vector<std::uint8_t> plaintext;   ///< opened, not yet handed out
  // A message of the handshake protocol that spans records.
  std::vector<std::uint8_t> message_head;
  std::uint32_t message_left = 0;
};

}  // namespace aquifer::tls
