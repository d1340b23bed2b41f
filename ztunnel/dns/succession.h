// Which of several sockets on one address and port (SO_REUSEPORT) is asked, while a process and its
// successor both have one: the older one until it says otherwise, then the younger. So a successor
// that is not ready yet holds up no query, and an old process that ends loses none. Any thread.
#pragma once

namespace aquifer::ztunnel::dns {

/// For a socket that was just bound: what comes goes on going to the oldest one.
void leave_to_oldest(int fd) noexcept;

/// For a socket that will not be read much longer: from now on what comes goes to the one that was
/// bound after it. Nothing changes when there is none. What has come already stays.
void turn_over_to_next(int fd) noexcept;

}  // namespace aquifer::ztunnel::dns
