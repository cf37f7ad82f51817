"""Rules that hold on every synthetic row: checked, met by construction where they can be, else repaired."""
