// One question to one server and its answer, on a socket of its own: a fresh source port for each
// query is what a forger has to guess beside the id (RFC 5452 section 9.2). On the loop.
#pragma once

#include "common/base/address.h"
#include "common/base/fd.h"
#include "common/base/result.h"
#include "common/base/time.h"
#include "common/coro/cancel.h"
#include "common/coro/task.h"
#include "common/io/loop.h"
#include "ztunnel/dns/message.h"

namespace aquifer::ztunnel::dns {

/// `fd` is a fresh non-blocking UDP socket. Datagrams that do not answer `query` are passed over:
/// only the server could know what was asked.
[[nodiscard]] coro::Task<Result<Message>> exchange_udp(io::Loop& loop, Fd fd, SocketAddress server,
                                                       ByteView query, Deadline deadline,
                                                       coro::CancelSource* cancel);

/// `fd` is a fresh non-blocking TCP socket.
[[nodiscard]] coro::Task<Result<Message>> exchange_tcp(io::Loop& loop, Fd fd, SocketAddress server,
                                                       ByteView query, Deadline deadline,
                                                       coro::CancelSource* cancel);

}  // namespace aquifer::ztunnel::dns
