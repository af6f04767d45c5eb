/**
 * The headers of every answer. The page's address holds a token, which must not leak through referrers; only our own
 * scripts run, and no other page may frame ours or share a process with it. `wasm-unsafe-eval` allows WebAssembly and
 * nothing else; styles that React sets through the DOM need no exception.
 */

const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self' 'wasm-unsafe-eval'",
  "worker-src 'self'",
  "style-src 'self'",
  "img-src 'self' data: blob:",
  "font-src 'self'",
  // 'self' covers a socket to the page's own address in some browsers only.
  "connect-src 'self' ws://127.0.0.1:* ws://localhost:*",
  "manifest-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
].join("; ");

export const RESPONSE_HEADERS = {
  "Referrer-Policy": "no-referrer",
  "X-Content-Type-Options": "nosniff",
  "Cache-Control": "no-cache",
  "Content-Security-Policy": `${CONTENT_SECURITY_POLICY}; frame-ancestors 'none'`,
  "Cross-Origin-Resource-Policy": "same-origin",
  "Cross-Origin-Opener-Policy": "same-origin",
  "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
} as const;
