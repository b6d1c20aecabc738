/** How a caller writes amounts. */
export { parseQuantity } from "../pod/words.ts";
