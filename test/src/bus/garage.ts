/** A small service for the tests of the bus layer: one fixed object, and a collection of cars. */
import { GantryError } from "../../../src/base/errors.ts";
import { BusError } from "../../../src/bus/errors.ts";
import { type Collection, type FixedObject, implement, type ObjectTree } from "../../../src/bus/objects.ts";
import { defineInterface } from "../../../src/bus/table.ts";

export const GARAGE = defineInterface({
  name: "org.example1.Garage",
  doc: "A garage.",
  methods: {
    List: { doc: "All cars.", since: "1", in: [], out: [["a(su)", "cars"]] },
    Count: {
      doc: "How many, and their wheels.",
      since: "1",
      in: [],
      out: [
        ["u", "cars"],
        ["u", "wheels"],
      ],
    },
    Build: {
      doc: "Builds one.",
      since: "1",
      in: [["s", "name"]],
      options: { wheels: ["u", "How many wheels."], tags: ["as", "Words."] },
      out: [["o", "car"]],
      action: "org.example1.build",
    },
    Wait: { doc: "Answers later.", since: "1", in: [["u", "milliseconds"]], out: [] },
    Fail: { doc: "Fails.", since: "1", in: [["s", "how"]], out: [] },
  },
  properties: {
    Name: { doc: "Its name.", since: "1", type: "s", emits: "const" },
    Motto: { doc: "On the door.", since: "1", type: "s", emits: "false", write: "org.example1.paint" },
  },
  signals: { Opened: { doc: "It has opened.", since: "1", args: [["s", "by"]] } },
});

export const CAR = defineInterface({
  name: "org.example1.Car",
  doc: "A car.",
  methods: { Honk: { doc: "Honks.", since: "1", in: [], out: [["s", "sound"]] } },
  properties: {
    Wheels: { doc: "How many.", since: "1", type: "u", emits: "true" },
    Mileage: { doc: "How far.", since: "1", type: "t", emits: "false" },
  },
  signals: {},
});

export type Car = { readonly wheels: number };

export type Garage = {
  readonly tree: ObjectTree;
  readonly cars: Map<string, Car>;
  readonly served: string[];
};

export const carFace = implement<typeof CAR, Car>(CAR, {
  methods: { Honk: (car) => `honk ${car.wheels}` },
  properties: (car) => ({ Wheels: car.wheels, Mileage: 18446744073709551615n }),
});

/** A garage with two cars; `served` lists what its handlers were asked for. */
export function makeGarage(): Garage {
  const cars = new Map<string, Car>([
    ["mini", { wheels: 4 }],
    ["3-wheeler", { wheels: 3 }],
  ]);
  const served: string[] = [];
  const garage: FixedObject<Map<string, Car>> = {
    path: "/org/example1",
    faces: [garageFace(served)],
    entity: () => cars,
  };
  const collection: Collection<Car> = {
    prefix: "/org/example1/car",
    faces: [carFace],
    find: async (name) => cars.get(name),
    list: async () => cars,
  };
  return { tree: { fixed: [garage], collections: [collection] }, cars, served };
}

function garageFace(served: string[]) {
  let motto = "open";
  return implement<typeof GARAGE, Map<string, Car>>(GARAGE, {
    methods: {
      List: (cars) => [...cars].map(([name, car]) => [name, car.wheels] as const),
      Count: (cars) => [cars.size, [...cars.values()].reduce((sum, car) => sum + car.wheels, 0)] as const,
      Build: (cars, { name, options }) => ({
        demand: {
          details: { car: name },
          further: options.tags === undefined ? [] : ["org.example1.tag"],
        },
        run: () => {
          served.push(`build ${name}`);
          cars.set(name, { wheels: options.wheels ?? 4 });
          return "/org/example1/car/x";
        },
      }),
      Wait: async (_, { milliseconds }) => {
        await new Promise((resolve) => setTimeout(resolve, milliseconds));
        served.push("wait");
        return undefined;
      },
      Fail: (_, { how }) => fail(how),
    },
    properties: () => ({ Name: "garage", Motto: motto }),
    writers: {
      Motto: (_, value) => ({
        demand: { details: { motto: value } },
        run: () => {
          served.push(`paint ${value}`);
          motto = value;
          return undefined;
        },
      }),
    },
  });
}

function fail(how: string): never {
  if (how === "typed") throw new GantryError("NoSuchPod", 'no pod "x"');
  if (how === "bus") throw new BusError("AccessDenied", "no");
  throw new TypeError(`secret of ${import.meta.url}`);
}
