/**
 * The page's few icons, drawn on a 16-pixel grid in the current colour. Always with a text label.
 */
const PATHS = {
  play: <path d="M5 3.2v9.6L12.8 8z" fill="currentColor" stroke="none" />,
  pause: <path d="M4.5 3.5h2.4v9H4.5zM9.1 3.5h2.4v9H9.1z" fill="currentColor" stroke="none" />,
  step: <path d="M4 3.5v9L10.5 8zM12 3.5v9" />,
  back: <path d="M12 3.5v9L5.5 8zM4 3.5v9" />,
  phase: <path d="M3 8h6M6.5 5.2 9.3 8l-2.8 2.8M12.5 5v6" />,
  reset: <path d="M3.4 8a4.6 4.6 0 1 0 1.5-3.4M3.2 2.7v2.8h2.8" />,
  again: <path d="M12.6 8a4.6 4.6 0 1 1-1.5-3.4M12.8 2.7v2.8H10" />,
  link: (
    <>
      <path d="M6.7 9.3 9.3 6.7M7.2 4.9l1.3-1.3a2.7 2.7 0 0 1 3.9 3.9L11.1 8.8" />
      <path d="M8.8 11.1l-1.3 1.3a2.7 2.7 0 0 1-3.9-3.9l1.3-1.3" />
    </>
  ),
  sun: (
    <>
      <path d="M8 5.2a2.8 2.8 0 1 0 0 5.6 2.8 2.8 0 0 0 0-5.6zM8 1.5v1.6M8 12.9v1.6M1.5 8h1.6M12.9 8h1.6" />
      <path d="M3.4 3.4l1.1 1.1M11.5 11.5l1.1 1.1M3.4 12.6l1.1-1.1M11.5 4.5l1.1-1.1" />
    </>
  ),
  moon: <path d="M13 9.6A5.5 5.5 0 0 1 6.4 3a5.5 5.5 0 1 0 6.6 6.6z" />,
  help: <path d="M5.7 6a2.3 2.3 0 1 1 3.5 2c-.8.5-1.2.9-1.2 1.8M8 12.3v.1" />,
  close: <path d="m4 4 8 8M12 4l-8 8" />,
  right: <path d="m6 3.5 4.5 4.5L6 12.5" />,
  left: <path d="M10 3.5 5.5 8l4.5 4.5" />,
  check: <path d="m3.2 8.4 3.2 3.2 6.4-7" strokeWidth="2" />,
  cross: <path d="m4.2 4.2 7.6 7.6M11.8 4.2l-7.6 7.6" strokeWidth="2" />,
  arrow: <path d="M2.5 8h10.5M9.5 4.5 13 8l-3.5 3.5" />,
  sliders: <path d="M2 4.5h6.5M12 4.5h2M2 11.5h2M7.5 11.5H14M10.2 2.8v3.4M5.8 9.8v3.4" />,
  download: <path d="M8 2.5v7.5M4.8 7 8 10.2 11.2 7M2.8 13.2h10.4" />,
  folder: <path d="M2 4.2c0-.6.4-1 1-1h3l1.5 1.8H13c.6 0 1 .4 1 1v5.8c0 .6-.4 1-1 1H3c-.6 0-1-.4-1-1z" />,
  dice: <path d="M3 3h10v10H3zM5.8 5.8v.1M10.2 5.8v.1M8 8v.1M5.8 10.2v.1M10.2 10.2v.1" />,
  first: <path d="M8 2.5a5.5 5.5 0 1 0 0 11 5.5 5.5 0 0 0 0-11zM6.8 6l1.4-.9v5.8" />,
  reflection: <path d="M8 2.5v11M6 4.5 2.5 11.5H6M10 4.5l3.5 7H10" />,
  refined: <path d="m8 2.3 1.5 3.9 4.1.2-3.2 2.7 1.1 4L8 10.9l-3.5 2.2 1.1-4L2.4 6.4l4.1-.2z" />,
  warning: <path d="M8 2.5 14 13H2zM8 6.5v3M8 11.3v.1" />,
  chip: (
    <>
      <path d="M4.5 4.5h7v7h-7zM6.5 2v2.5M9.5 2v2.5M6.5 11.5V14M9.5 11.5V14" />
      <path d="M2 6.5h2.5M2 9.5h2.5M11.5 6.5H14M11.5 9.5H14" />
    </>
  ),
  pin: <path d="M8 14V9.5M4.5 9.5h7L10 6.5v-4H6v4z" />,
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name, size = 16 }: { readonly name: IconName; readonly size?: number }) {
  return (
    <svg
      className="icon"
      width={size}
      height={size}
      viewBox="0 0 16 16"
      fill="none"
      stroke="currentColor"
      strokeWidth="1.5"
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
      focusable="false"
    >
      {PATHS[name]}
    </svg>
  );
}
