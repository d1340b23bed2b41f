// What nghttp2 tells a connection, and how a session is made. Internal to common/http2.
#pragma once

#include "common/http2/connection.h"

#include <nghttp2/nghttp2.h>

namespace aquifer::http2 {

/// nghttp2's callbacks. They record and mark ready; nobody is resumed from inside, and nghttp2 is
/// never asked to read or write.
struct Events {
  /// A session that has said its SETTINGS.
  [[nodiscard]] static nghttp2_session* make_session(Connection& connection);
  /// Where nghttp2 finds the bytes of a stream.
  [[nodiscard]] static const nghttp2_data_provider& body() noexcept;

 private:
  static Connection& of(void* user) noexcept { return *static_cast<Connection*>(user); }
  static Stream* find(nghttp2_session* session, std::int32_t id) noexcept;
  static const nghttp2_session_callbacks* callbacks();
  static const nghttp2_option* option();
  static void submit_settings(Connection& connection, nghttp2_session* session);

  static int begin_headers(nghttp2_session* session, const nghttp2_frame* frame, void* user);
  static int header(nghttp2_session*, const nghttp2_frame*, const std::uint8_t* name,
                    std::size_t name_bytes, const std::uint8_t* value, std::size_t value_bytes,
                    std::uint8_t flags, void* user);
  static int invalid_header(nghttp2_session*, const nghttp2_frame*, const std::uint8_t*,
                            std::size_t, const std::uint8_t*, std::size_t, std::uint8_t, void*);
  static int frame(nghttp2_session* session, const nghttp2_frame* frame, void* user);
  static int data(nghttp2_session* session, std::uint8_t flags, std::int32_t id,
                  const std::uint8_t* bytes, std::size_t size, void* user);
  static int closed(nghttp2_session* session, std::int32_t id, std::uint32_t code, void* user);
  static int not_sent(nghttp2_session* session, const nghttp2_frame* frame, int error, void* user);
  static ssize_t read_body(nghttp2_session* session, std::int32_t id, std::uint8_t*,
                           std::size_t room, std::uint32_t* flags, nghttp2_data_source*,
                           void* user);
  static int send_body(nghttp2_session* session, nghttp2_frame* frame, const std::uint8_t* head,
                       std::size_t size, nghttp2_data_source*, void* user);

  static void head_ended(Connection& connection, Stream& stream, bool end_stream);
  static void response_came(Connection& connection, Stream& stream, HeadVerdict verdict);
  static void remote_ended(Stream& stream) noexcept;
  static void ping_answered(Connection& connection, const std::uint8_t* opaque);
};

}  // namespace aquifer::http2
