/** The builder gives the text of a stylesheet, without comments and spaces. */
declare module "*.css" {
  const text: string;
  export default text;
}
