/** The units, prefixes and counted things that the grader knows. Sizes are exact decimals in the base unit. */

export interface KnownUnit {
  /** Symbols; case matters. */
  readonly symbols?: string;
  /** Words in every form that is accepted; `_` stands for a blank. */
  readonly names?: string;
  /** Base dimensions with exponents: "length time^-1". */
  readonly dimension: string;
  readonly size: string;
  /** Takes SI prefixes. */
  readonly prefixed?: boolean;
}

const unit = (dimension: string, size: string, symbols: string, names = "", prefixed = false): KnownUnit => ({
  dimension,
  size,
  symbols,
  names,
  prefixed,
});
const plural = (names: string): string => names.replace(/\S+/g, (name) => `${name} ${name}s`);

export const KNOWN_UNITS: readonly KnownUnit[] = [
  unit("length", "1", "m", plural("meter metre"), true),
  unit("length", "1", "米"),
  unit("length", "1000", "千米 公里"),
  unit("length", "0.1", "分米"),
  unit("length", "0.01", "厘米"),
  unit("length", "0.001", "毫米"),
  unit("length", "0.0254", 'in "', "inch inches"),
  unit("length", "0.3048", "ft '", "foot feet"),
  unit("length", "0.9144", "yd yds", plural("yard")),
  unit("length", "1609.344", "mi", plural("mile")),
  unit("length", "1852", "nmi", plural("nautical_mile")),
  unit("length", "0.0000000001", "Å", plural("angstrom")),
  unit("length", "149597870700", "au AU", plural("astronomical_unit")),
  unit("length", "9460730472580800", "ly", plural("light-year light_year")),
  unit("mass", "1", "g", plural("gram gramme"), true),
  unit("mass", "1", "克"),
  unit("mass", "1000", "千克 公斤 kgs"),
  unit("mass", "1000000", "t 吨", `${plural("tonne")} metric_tons metric_ton`),
  unit("mass in short tons", "1", "", plural("ton")),
  unit("mass", "453.59237", "lb lbs", plural("pound")),
  unit("mass", "28.349523125", "oz", plural("ounce")),
  unit("time", "1", "s", plural("second sec"), true),
  unit("time", "1", "秒"),
  unit("time", "60", "min mins 分钟 分", plural("minute")),
  unit("time", "3600", "h hr hrs 小时 时", plural("hour")),
  unit("time", "86400", "d 天 日", plural("day")),
  unit("time", "604800", "wk 周", plural("week")),
  unit("months", "1", "mo 个月", plural("month")),
  unit("months", "12", "yr yrs 年 岁", `${plural("year")} years_old year_old`),
  unit("months", "120", "", plural("decade")),
  unit("months", "1200", "", "century centuries"),
  unit("current", "1", "A", plural("ampere amp"), true),
  unit("kelvin", "1", "K", plural("kelvin")),
  unit("celsius", "1", "°C C 摄氏度", "celsius degrees_celsius degree_celsius"),
  unit("fahrenheit", "1", "°F F", "fahrenheit degrees_fahrenheit degree_fahrenheit"),
  unit("amount", "1", "mol", plural("mole"), true),
  unit("luminous", "1", "cd", plural("candela")),
  unit("mass length time^-2", "1000", "N 牛", plural("newton"), true),
  unit("mass length^2 time^-2", "1000", "J 焦", plural("joule"), true),
  unit("mass length^2 time^-2", "3600000", "Wh", "watt-hour watt-hours watt_hours", true),
  unit("mass length^2 time^-2", "4184", "cal", plural("calorie"), true),
  unit("mass length^2 time^-2", "0.0000000000000001602176634", "eV", plural("electronvolt"), true),
  unit("mass length^2 time^-3", "1000", "W 瓦", plural("watt"), true),
  unit("mass length^-1 time^-2", "1000", "Pa", plural("pascal"), true),
  unit("mass length^-1 time^-2", "101325000", "atm", plural("atmosphere")),
  unit("mass length^-1 time^-2", "100000000", "bar", "bars"),
  unit("time^-1", "1", "Hz", "hertz", true),
  unit("current time", "1", "", plural("coulomb"), true),
  unit("current time", "1", "C", "", true),
  unit("mass length^2 time^-3 current^-1", "1000", "V", plural("volt"), true),
  unit("mass length^2 time^-3 current^-2", "1000", "Ω 欧", plural("ohm"), true),
  unit("mass^-1 length^-2 time^4 current^2", "0.001", "F", plural("farad"), true),
  unit("mass length^2 time^-2 current^-2", "1000", "H", "henry henries", true),
  unit("mass time^-2 current^-1", "1000", "T", plural("tesla"), true),
  unit("mass length^2 time^-2 current^-1", "1000", "Wb", plural("weber"), true),
  unit("length^3", "0.001", "l L", plural("liter litre"), true),
  unit("length^3", "0.001", "升"),
  unit("length^3", "0.000001", "cc 毫升"),
  unit("length^3", "0.003785411784", "gal", plural("gallon")),
  unit("length^3", "0.000946352946", "qt", plural("quart")),
  unit("length^3", "0.000473176473", "pt", plural("pint")),
  unit("length^3", "0.0002365882365", "", plural("cup")),
  unit("length^3", "0.00001478676478125", "tbsp", plural("tablespoon")),
  unit("length^3", "0.00000492892159375", "tsp", plural("teaspoon")),
  unit("length^2", "10000", "ha 公顷", plural("hectare")),
  unit("length^2", "4046.8564224", "", plural("acre")),
  unit("length time^-1", "0.44704", "mph", ""),
  unit("length time^-1", "1000/3600", "kmh kph", ""),
  unit("length time^-1", "1852/3600", "kn", plural("knot")),
  unit("beat time^-1", "1/60", "bpm", ""),
  unit("revolution time^-1", "1/60", "rpm", ""),
  unit("revolution", "1", "rev", plural("revolution rotation turn")),
  unit("information", "8", "B", plural("byte"), true),
  unit("information", "8000", "KB", ""),
  unit("information", "1", "b", plural("bit"), true),
  unit("level", "1", "dB", plural("decibel")),
  unit("angle", "1", "° 度", plural("degree deg")),
  unit("radian", "1", "rad", plural("radian")),
  unit("dollars", "1", "$ USD US$", plural("dollar")),
  unit("dollars", "0.01", "¢", plural("cent")),
  unit("euros", "1", "€ EUR", plural("euro")),
  unit("pounds sterling", "1", "£ GBP", plural("pound")),
  unit("pounds sterling", "0.01", "", "pence penny"),
  unit("yen", "1", "JPY ¥", "yen"),
  unit("yuan", "1", "CNY RMB 元 ¥", "yuan"),
  unit("rupees", "1", "₹ INR Rs Rs.", plural("rupee")),
  unit("won", "1", "₩ KRW", ""),
  unit("unit", "1", "", "unit units"),
  unit("count", "1", "个 只 人 本 张 件 条 位 名 支 棵 辆 次 页", ""),
];

export const PREFIXES: readonly { readonly symbol: string; readonly name: string; readonly size: string }[] = [
  { symbol: "T", name: "tera", size: "1000000000000" },
  { symbol: "G", name: "giga", size: "1000000000" },
  { symbol: "M", name: "mega", size: "1000000" },
  { symbol: "k", name: "kilo", size: "1000" },
  { symbol: "h", name: "hecto", size: "100" },
  { symbol: "d", name: "deci", size: "0.1" },
  { symbol: "c", name: "centi", size: "0.01" },
  { symbol: "m", name: "milli", size: "0.001" },
  { symbol: "μ", name: "micro", size: "0.000001" },
  { symbol: "u", name: "", size: "0.000001" },
  { symbol: "n", name: "nano", size: "0.000000001" },
  { symbol: "p", name: "pico", size: "0.000000000001" },
  { symbol: "f", name: "femto", size: "0.000000000000001" },
];

/**
 * Things that problems count. No word here multiplies or divides the number before it: no pairs, dozens, halves,
 * scores, quarters, thirds, percent.
 */
const NOUNS = `
  people/person men/man women/woman children/child boys girls students pupils teachers players workers employees
  members passengers customers voters families/family households countries/country states cities/city apples oranges
  pears bananas lemons eggs cookies cakes candies/candy sweets pizzas books pens pencils pages letters words stamps
  cards coins tickets cars buses/bus bikes bicycles trucks trains boats planes dogs cats birds fish/fish cows horses
  sheep/sheep chickens animals trees flowers plants leaves/leaf balls marbles blocks cubes spheres cylinders cones
  pyramids prisms boxes/box bags bottles houses rooms floors tables chairs windows doors shapes circles triangles
  squares rectangles pentagons hexagons polygons sides edges/edge faces/face vertices/vertex corners angles
  diagonals lines/line points dots stars objects items things pieces/piece parts sections bars categories/category
  types groups teams games goals matches/match steps rows columns tiles/tile beats respondents participants adults
  users cells atoms molecules electrons protons neutrons bonds chromosomes species/species seats toys shirts hats
  shoes/shoe phones computers questions answers votes ways outcomes/outcome solutions roots zeros/zero`;

/** Accepted form → singular. */
export const COUNT_NOUNS: ReadonlyMap<string, string> = new Map(
  NOUNS.trim()
    .split(/\s+/)
    .flatMap((entry): [string, string][] => {
      const [many = "", one = many.replace(/s$/, "")] = entry.split("/");
      return [
        [many, one],
        [one, one],
      ];
    }),
);

/** Words between a number and a counted thing that leave the number alone. */
export const QUALIFIERS: ReadonlySet<string> = new Set(
  `red blue green yellow orange purple brown black white gray grey pink cyan small large big tiny little metal rubber
  shiny matte different possible distinct`.split(/\s+/),
);
